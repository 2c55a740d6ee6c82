//! The corpus of every fuzz target, replayed: what once went wrong stays right, and every seed still reaches what it was made to reach.
//!
//! `fuzz/README.md` tells how findings become regressions. Seeds are written by `seeds.rs`; after a change of the format,
//!
//!     cargo test --test corpus -- --ignored

#[path = "corpus/seeds.rs"]
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vault::fuzzing::TARGETS;

/// Files under `fuzz/corpus`: what is globbed can silently become nothing.
const SEEDS: usize = 398;
const REGRESSIONS: usize = 2;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a directory, by name; none where there is no directory.
fn files(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            (name.expect("a name of ASCII").to_owned(), path.clone())
        })
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file of the corpus")
}

#[test]
fn every_seed_is_what_its_name_says() {
    let (mut count, mut others) = (0, Vec::new());
    for target in TARGETS {
        let seeds = files(&root().join("corpus").join(target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for (name, path) in &seeds {
            let expected = match name.split_once('-') {
                Some(("accepted", _)) => true,
                Some(("refused", _)) => false,
                _ => panic!("{} of {} is neither accepted nor refused", name, target.name),
            };
            if (target.run)(&read(path)) != expected {
                others.push(format!("{name} of {}", target.name));
            }
        }
        count += seeds.len();
    }
    assert_eq!(others, [] as [String; 0]);
    assert_eq!(count, SEEDS);
}

#[test]
fn regressions_stay_right() {
    let mut count = 0;
    for target in TARGETS {
        for (name, path) in files(&root().join("corpus").join(target.name).join("regressions")) {
            println!("{} of {}", name, target.name);
            (target.run)(&read(&path));
            count += 1;
        }
    }
    assert_eq!(count, REGRESSIONS);
}

#[test]
fn every_target_is_a_program_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    let programs = files(&root().join("fuzz_targets"));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for (name, path) in &programs {
        let target = name.strip_suffix(".rs").expect("a program");
        let text = fs::read_to_string(path).expect("a program");
        assert!(text.contains(&format!("vault::fuzzing::{target}(data)")), "{name} runs another target");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}\"")), "{name} is not built");
    }
    let programs: BTreeSet<_> =
        programs.iter().filter_map(|(name, _)| Some(name.strip_suffix(".rs")?.to_owned())).collect();
    assert_eq!(programs, targets);
    let corpora = fs::read_dir(root().join("corpus")).expect("a corpus");
    let corpora = corpora.map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"));
    assert_eq!(corpora.collect::<BTreeSet<_>>(), targets);
}

#[test]
fn the_seeds_are_those_of_the_generator() {
    let written: BTreeSet<(String, String)> =
        seeds::all().into_iter().map(|seed| (seed.target.into(), seed.name)).collect();
    let of = |target: &'static str| {
        files(&root().join("corpus").join(target)).into_iter().map(move |(name, _)| (target.into(), name))
    };
    let found: BTreeSet<(String, String)> = TARGETS.iter().flat_map(|target| of(target.name)).collect();
    assert_eq!(found, written);
}

#[test]
#[ignore = "writes the corpus"]
fn write_seeds() {
    for target in TARGETS {
        for (_, path) in files(&root().join("corpus").join(target.name)) {
            fs::remove_file(path).expect("an old seed");
        }
    }
    let seeds = seeds::all();
    for seed in &seeds {
        let directory = root().join("corpus").join(seed.target);
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join(&seed.name), &seed.bytes).expect("a seed");
    }
    println!("{} seeds, {} bytes", seeds.len(), seeds.iter().map(|seed| seed.bytes.len()).sum::<usize>());
}
