//! What can go wrong on the command line, and with which exit code it ends.

use std::io;
use std::process::ExitCode;

/// How a command that ran ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Ended {
    /// Done, or yes.
    Well,
    /// The answer is no.
    Negative,
    /// As the program that was run.
    Like(u8),
}

/// Why a command did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command or a file it names makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error("no onesec server answers at {url}: start it with `onesec up`, or name another with --url or ONESEC_URL")]
    Unreachable {
        /// Where.
        url: String,
    },
    /// The server, or what was to be started, said no.
    #[error("{0}")]
    Refused(String),
    /// The terminal or pipe cannot be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::Usage(what.into())
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused(what.into())
    }

    /// The reader of our output went away, as `head` does: nothing is wrong.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            error if error.is_broken_pipe() => ExitCode::SUCCESS,
            Self::Usage(_) => ExitCode::from(2),
            Self::Unreachable { .. } | Self::Refused(_) | Self::Output(_) => ExitCode::from(3),
        }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Well => Self::SUCCESS,
            Ended::Negative => Self::from(1),
            Ended::Like(code) => Self::from(code),
        }
    }
}
