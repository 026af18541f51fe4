//! The one error type: what went wrong, about which value, and what the caller can do.

use thiserror::Error as ThisError;

/// A result of the engine and of everything built on it.
pub type Result<T> = std::result::Result<T, Error>;

/// Every way a call can fail that is not a bug. Each variant is one SQLSTATE.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Error {
    /// 22023: a value outside what the parameter allows.
    #[error("{message}")]
    Invalid { message: String, detail: String, hint: String },
    /// 22004: a null where a value is needed.
    #[error("{parameter} must not be null")]
    Null { parameter: String },
    /// P0002: nothing has this id.
    #[error("{what} {id} does not exist")]
    NotFound { what: String, id: String },
    /// 42501: the caller may not do this. Says the same for what exists and what does not.
    #[error("{message}")]
    NotAllowed { message: String, hint: String },
    /// 23505: it is there already.
    #[error("{message}")]
    AlreadyThere { message: String, hint: String },
    /// 23P01: two things want the same place or time.
    #[error("{message}")]
    Clash { message: String, detail: String, hint: String },
    /// 55000: not in a state in which this can be done.
    #[error("{message}")]
    WrongState { message: String, detail: String, hint: String },
    /// 55P03: somebody else holds it.
    #[error("{message}")]
    Locked { message: String, hint: String },
    /// 40001: try again.
    #[error("{message}")]
    Retry { message: String, hint: String },
    /// 0A000: cannot be done with this server or library.
    #[error("{message}")]
    Unsupported { message: String, hint: String },
    /// 54000: more than a call takes.
    #[error("{message}")]
    TooLarge { message: String, hint: String },
    /// 57014: the caller asked the computation to end.
    #[error("the computation was cancelled")]
    Cancelled,
    /// 58000: a bug or an exhausted resource in a worker; never a user's mistake.
    #[error("a worker failed: {0}")]
    Worker(String),
}

impl Error {
    /// An [`Error::Invalid`] from its three sentences.
    pub fn invalid(
        message: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Invalid { message: message.into(), detail: detail.into(), hint: hint.into() }
    }

    /// An [`Error::Null`] that names the parameter.
    pub fn null(parameter: impl Into<String>) -> Self {
        Self::Null { parameter: parameter.into() }
    }

    /// The SQLSTATE of this error.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "22023",
            Self::Null { .. } => "22004",
            Self::NotFound { .. } => "P0002",
            Self::NotAllowed { .. } => "42501",
            Self::AlreadyThere { .. } => "23505",
            Self::Clash { .. } => "23P01",
            Self::WrongState { .. } => "55000",
            Self::Locked { .. } => "55P03",
            Self::Retry { .. } => "40001",
            Self::Unsupported { .. } => "0A000",
            Self::TooLarge { .. } => "54000",
            Self::Cancelled => "57014",
            Self::Worker(_) => "58000",
        }
    }

    /// Why, where the message does not already say it.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Invalid { detail, .. }
            | Self::Clash { detail, .. }
            | Self::WrongState { detail, .. } => Some(detail.as_str()),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Invalid { hint, .. }
            | Self::NotAllowed { hint, .. }
            | Self::AlreadyThere { hint, .. }
            | Self::Clash { hint, .. }
            | Self::WrongState { hint, .. }
            | Self::Locked { hint, .. }
            | Self::Retry { hint, .. }
            | Self::Unsupported { hint, .. }
            | Self::TooLarge { hint, .. } => Some(hint.as_str()),
            Self::Null { .. } => Some("Pass a value for this parameter."),
            Self::NotFound { .. } => Some("Check the id."),
            Self::Cancelled | Self::Worker(_) => None,
        }
        .filter(|text| !text.is_empty())
    }
}
