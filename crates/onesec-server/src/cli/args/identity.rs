//! Agents' keys, registrations, and delegations that are signed without a server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct AgentRegister {
    /// The agent.
    pub(crate) id: String,
    /// Who answers for it.
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Whom it serves: one person, or many.
    #[arg(long, value_enum, default_value_t = ClassArg::Personal)]
    pub(crate) class: ClassArg,
    /// The only connections that it may reach; say it again for more. Without any: whatever is delegated to it.
    #[arg(long = "connection")]
    pub(crate) connections: Vec<String>,
    /// A client id, or an `act` subject, by which its issuer knows it; say it again for more.
    #[arg(long = "client")]
    pub(crate) clients: Vec<String>,
    /// A public key: a file with a JWK, a JWK set or PEM; say it again for more.
    #[arg(long = "public-key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// A client certificate in PEM; say it again for more.
    #[arg(long = "certificate", value_name = "FILE")]
    pub(crate) certificates: Vec<PathBuf>,
    /// A DNS name or URI in certificates of the configured authority; say it again for more.
    #[arg(long = "certificate-name")]
    pub(crate) certificate_names: Vec<String>,
    /// May exchange for users whose token it does not hold, with requests signed by its own key.
    #[arg(long)]
    pub(crate) worker: bool,
    /// What every exchange must prove besides the credential.
    #[arg(long, value_enum, default_value_t = PossessionArg::None)]
    pub(crate) possession: PossessionArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ClassArg {
    /// One person, or a few.
    Personal,
    /// Many people.
    Service,
}

impl ClassArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Service => "service",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PossessionArg {
    /// Nothing more.
    None,
    /// A DPoP proof by one of its keys.
    Dpop,
    /// A connection with one of its certificates.
    Mtls,
}

impl PossessionArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dpop => "dpop",
            Self::Mtls => "mtls",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the private key goes, in PEM with mode 0600. A file that is there is not replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What it signs with.
    #[arg(long, value_enum, default_value_t = AlgorithmArg::EdDsa)]
    pub(crate) algorithm: AlgorithmArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AlgorithmArg {
    /// Ed25519.
    #[value(name = "eddsa")]
    EdDsa,
    /// ECDSA on P-256.
    Es256,
    /// RSA with 2048 bits: what Auth0 takes.
    Rs256,
}

#[derive(Debug, Args)]
pub(crate) struct DelegateArgs {
    /// File with the chain that one holds (`onesec delegations link`); `-` reads standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) chain: PathBuf,
    /// File with one's own private key, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) private_key: PathBuf,
    /// The agent that may act.
    #[arg(long)]
    pub(crate) to: String,
    /// File with that agent's public key: a JWK or PEM. Only it can lend further.
    #[arg(long, value_name = "FILE")]
    pub(crate) to_key: PathBuf,
    /// The connection; without it, that of the chain.
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// With these scopes at most; say it again for more. Without any, those of the chain.
    #[arg(long = "scope", num_args = 1..)]
    pub(crate) scopes: Vec<String>,
    /// For how long, such as `15m`.
    #[arg(long, default_value = "1h")]
    pub(crate) expires_in: String,
    /// How many links a chain through this one may have at most.
    #[arg(long)]
    pub(crate) max_depth: Option<u8>,
}
