//! What index and catalogue say, as records that need not be legal.

use vault::crypto::span::SpanKey;

/// A row of the block directory: part, offset, stored, plain, kind and the bytes that are zero.
pub type Row = [u32; 5];

/// What the index says.
pub struct IndexForm {
    pub draft: Vec<u8>,
    pub plain: u64,
    pub chunks: u64,
    pub ids_digest: [u8; 32],
    pub blocks: Vec<Row>,
    pub recipe: Vec<(u32, u32, u64)>,
    pub spans: Vec<[u8; 16]>,
    /// Whose digests the spans have.
    pub span_key: SpanKey,
    pub map: Vec<u8>,
}

/// What the catalogue says.
pub struct CatalogueForm {
    pub draft: Vec<u8>,
    pub cutter: [u64; 6],
    pub blocks: Vec<[u32; 4]>,
    pub chunks: Vec<([u8; 16], u32)>,
    pub usage: Vec<(u64, u64)>,
}

type Sections = Vec<(u32, Vec<u8>)>;

fn words(fields: &[u32]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_le_bytes()).collect()
}

fn filled(sections: Sections) -> Sections {
    sections.into_iter().filter(|(_, content)| !content.is_empty()).collect()
}

impl IndexForm {
    /// Number and content of every section that is not empty.
    pub fn sections(&self) -> Sections {
        let counts = [self.plain.to_le_bytes(), self.chunks.to_le_bytes()];
        let summary = [counts.as_flattened(), &self.ids_digest].concat();
        let extent = |(block, offset, length): &(u32, u32, u64)| {
            [words(&[*block, *offset]), length.to_le_bytes().to_vec()].concat()
        };
        filled(vec![
            (1, self.draft.clone()),
            (2, summary),
            (3, self.blocks.iter().flat_map(|row| words(row)).collect()),
            (4, self.recipe.iter().flat_map(extent).collect()),
            (5, self.spans.concat()),
            (6, self.map.clone()),
        ])
    }
}

impl CatalogueForm {
    /// Number and content of every section that is not empty.
    pub fn sections(&self) -> Sections {
        let [minimum, average, maximum, zero, strict, loose] = self.cutter;
        let sizes = words(&[minimum, average, maximum, zero].map(|size| size as u32));
        let masks = [strict.to_le_bytes(), loose.to_le_bytes()].concat();
        let chunk = |(id, length): &([u8; 16], u32)| [id.to_vec(), words(&[*length])].concat();
        let usage = |(live, plain): &(u64, u64)| [live.to_le_bytes(), plain.to_le_bytes()].concat();
        filled(vec![
            (1, self.draft.clone()),
            (16, [sizes, masks].concat()),
            (17, self.blocks.iter().flat_map(|row| words(row)).collect()),
            (18, self.chunks.iter().flat_map(chunk).collect()),
            (19, self.usage.iter().flat_map(usage).collect()),
        ])
    }
}

/// A frame of an index or a catalogue with its record.
#[derive(Clone)]
pub struct Frame {
    pub section: u32,
    pub part: u32,
    pub stored: u32,
    pub plain: u32,
    pub bytes: Vec<u8>,
}

impl Frame {
    /// A frame of that content.
    pub fn of(section: u32, part: u32, content: &[u8]) -> Frame {
        let bytes = zstd::bulk::compress(content, 19).expect("zstd compresses");
        Frame { section, part, stored: bytes.len() as u32, plain: content.len() as u32, bytes }
    }
}
