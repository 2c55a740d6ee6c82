//! The one list of failure classes that exit codes, test vectors and messages share (spec/exit-codes.md).

/// What kind of failure stopped a run; each has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Any other failure.
    Failure,
    /// The command line, or a choice that only the user can make.
    Usage,
    /// Done, with warnings.
    Warning,
    /// No such backup or store.
    NotFound,
    /// It is there already.
    Exists,
    /// The key or passphrase is not the one.
    WrongKey,
    /// An object is not what was written: cut, changed, swapped, forged.
    Damaged,
    /// An object is not there.
    Missing,
    /// The producer failed, or its dump is empty or cut short; or the consumer failed.
    Source,
    /// The store cannot be reached, read or written.
    Store,
    /// A key in escrow does not open what it should.
    Escrow,
    /// A newer version or an unknown feature.
    Unsupported,
    /// A limit of the format is exceeded.
    Limit,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// The reader of the output went away.
    Pipe,
}

impl FailureClass {
    /// Every class, in the order of their exit codes.
    pub const ALL: [FailureClass; 16] = [
        FailureClass::Failure,
        FailureClass::Usage,
        FailureClass::Warning,
        FailureClass::NotFound,
        FailureClass::Exists,
        FailureClass::WrongKey,
        FailureClass::Damaged,
        FailureClass::Missing,
        FailureClass::Source,
        FailureClass::Store,
        FailureClass::Escrow,
        FailureClass::Unsupported,
        FailureClass::Limit,
        FailureClass::Interrupted,
        FailureClass::Pipe,
        FailureClass::Terminated,
    ];

    /// The process exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            FailureClass::Failure => 1,
            FailureClass::Usage => 2,
            FailureClass::Warning => 3,
            FailureClass::NotFound => 10,
            FailureClass::Exists => 11,
            FailureClass::WrongKey => 12,
            FailureClass::Damaged => 13,
            FailureClass::Missing => 14,
            FailureClass::Source => 15,
            FailureClass::Store => 16,
            FailureClass::Escrow => 17,
            FailureClass::Unsupported => 18,
            FailureClass::Limit => 19,
            FailureClass::Interrupted => 130,
            FailureClass::Pipe => 141,
            FailureClass::Terminated => 143,
        }
    }

    /// The name that messages, vectors and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            FailureClass::Failure => "failure",
            FailureClass::Usage => "usage",
            FailureClass::Warning => "warning",
            FailureClass::NotFound => "not-found",
            FailureClass::Exists => "exists",
            FailureClass::WrongKey => "wrong-key",
            FailureClass::Damaged => "damaged",
            FailureClass::Missing => "missing",
            FailureClass::Source => "source",
            FailureClass::Store => "store",
            FailureClass::Escrow => "escrow",
            FailureClass::Unsupported => "unsupported",
            FailureClass::Limit => "limit",
            FailureClass::Interrupted => "interrupted",
            FailureClass::Terminated => "terminated",
            FailureClass::Pipe => "pipe",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<FailureClass> {
        FailureClass::ALL.into_iter().find(|class| class.name() == name)
    }
}
