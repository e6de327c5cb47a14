//! Which tenants a word of `keys` or `sessions` is about, and who reads its answer.

/// For which tenants, and for whom to read.
#[derive(clap::Args, serde::Serialize, serde::Deserialize)]
pub(crate) struct Whose {
    /// Only this tenant [default: all].
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// As JSON, for scripts.
    #[arg(long)]
    pub(super) json: bool,
}
