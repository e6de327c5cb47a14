//! The program: `serve` (the default), `check`, `crds`, `keys`, `sessions`, `provider test`, `healthcheck`, `hash`,
//! `audit digest`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use uitsmijter::login::script;
use uitsmijter::settings::{Flags, Settings};

mod command;

use command::Order;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An authorization server for OAuth 2.0 and OpenID Connect.
#[derive(Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Command {
    #[command(subcommand)]
    word: Option<Word>,
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  uitsmijter                                  a demo on http://localhost:8080
  uitsmijter --directory /etc/uitsmijter      serve the tenants and clients below it
  uitsmijter check --config settings.yaml     show what would be served, and what is wrong
  uitsmijter check --strict                   the same, for a pipeline that wants no warnings
  uitsmijter hash                             make a password_hash for a tenant's user

Exit codes: 0 success, 1 failure or problems found, 2 invalid command line.";

const KEY_EXAMPLES: &str = "\
Examples (with the servers' settings, at least REDIS_HOST or STORE_PATH, and DIRECTORY):
  uitsmijter keys list                              all keys of all tenants
  uitsmijter keys list --tenant acme --json         for scripts
  uitsmijter keys rotate --tenant acme              announce a new key
  uitsmijter keys revoke 2026-11-23-q3Zk1vXa        withdraw a key that leaked
  uitsmijter keys export --tenant acme --public     the JWKS

Exit codes: 0 success, 1 failure, 2 invalid command line.";

const SESSION_EXAMPLES: &str = "\
Examples (with the servers' settings, at least REDIS_HOST or STORE_PATH, and DIRECTORY):
  uitsmijter sessions list --tenant acme             who is signed in
  uitsmijter sessions list --username ada --json     for scripts
  uitsmijter sessions end --tenant acme --subject 42 a person who leaves
  uitsmijter sessions end --client old-app           all that was granted to a client
  uitsmijter sessions end --tenant acme --all        everybody

Exit codes: 0 success, also if there was nothing to end, 1 failure, 2 invalid command line.";

#[derive(Subcommand)]
enum Word {
    /// Serve until SIGTERM or Ctrl-C.
    Serve {
        /// Also validate custom resources before they are stored [env: WEBHOOK_LISTEN] [default: 0.0.0.0:9443].
        #[arg(long)]
        webhook: bool,
    },
    /// Show what would be served: tenants, clients, issuers, key policy and every problem; exit 1 if there is an error.
    Check {
        /// As JSON, for scripts.
        #[arg(long)]
        json: bool,
        /// Take every warning for an error.
        #[arg(long)]
        strict: bool,
    },
    /// Ask a running server whether it is alive, for container health checks; exit 1 if not.
    Healthcheck {
        /// Also ask whether it is ready for requests.
        #[arg(long)]
        ready: bool,
    },
    /// List, rotate, revoke, seal, import or export signing keys, while servers run on the same store.
    #[command(subcommand, after_help = KEY_EXAMPLES)]
    Keys(command::KeyWord),
    /// List or end sessions, while servers run on the same store.
    #[command(subcommand, after_help = SESSION_EXAMPLES)]
    Sessions(command::SessionWord),
    /// Print the custom resource definitions: uitsmijter crds | kubectl apply -f -
    Crds,
    /// Read a password from standard input and print its argon2id hash for `password_hash` or `secret_hash`.
    Hash,
    /// Login scripts.
    #[command(subcommand)]
    Provider(ProviderWord),
    /// Run login scripts for the server that started this process.
    #[command(name = script::WORKER, hide = true)]
    ScriptWorker,
    /// The audit lines of the log.
    #[command(subcommand)]
    Audit(AuditWord),
}

#[derive(Subcommand)]
enum AuditWord {
    /// Print what stands in the log for a user name that led to no sign-in; one line for each secret of
    /// SIGNING_KEY_SECRET and JWT_SECRET, the one in use first. Example: grep "$(uitsmijter audit digest ada | head -1)" log
    Digest {
        /// The name, in any spelling.
        name: String,
    },
}

#[derive(Subcommand)]
enum ProviderWord {
    /// Run a tenant's login script against its backend with a password from standard input, and show each step; exit 3
    /// if the person may not log in.
    Test {
        /// The tenant's full name.
        #[arg(long)]
        tenant: String,
        /// The name to sign in with.
        #[arg(long)]
        username: String,
        /// The grant type that the script gets.
        #[arg(long, value_enum, default_value = "authorization_code")]
        grant_type: command::GrantType,
    },
}

#[derive(Args)]
struct Options {
    /// The configuration file; see config.example.yaml.
    #[arg(long, env = "UITSMIJTER_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Address of the HTTP server [env: LISTEN] [default: 127.0.0.1:8080, in production 0.0.0.0:8080].
    #[arg(long, global = true, value_parser = address)]
    listen: Option<SocketAddr>,
    /// The folder that contains Resources/Configurations [env: DIRECTORY] [default: .].
    #[arg(long, global = true)]
    directory: Option<PathBuf>,
    /// The file of the embedded store [env: STORE_PATH] [default: memory].
    #[arg(long, global = true)]
    store_path: Option<PathBuf>,
}

impl Options {
    fn settings(&self) -> anyhow::Result<Settings> {
        self.settings_with(false)
    }

    fn settings_with(&self, webhook: bool) -> anyhow::Result<Settings> {
        let (directory, store_path) = (self.directory.clone(), self.store_path.clone());
        let flags = Flags { listen: self.listen, directory, store_path, webhook };
        Settings::load(self.config.as_deref(), &|name| std::env::var(name).ok(), &flags)
    }

    /// Serves; the settings are read again at SIGHUP.
    fn serve(self, webhook: bool) -> anyhow::Result<ExitCode> {
        let settings = self.settings_with(webhook)?;
        command::serve(settings, Box::new(move || self.settings_with(webhook)))
    }
}

fn address(written: &str) -> Result<SocketAddr, &'static str> {
    written.parse().map_err(|_| "expected an address and a port, like 127.0.0.1:8080")
}

fn main() -> ExitCode {
    let Command { word, options } = Command::parse();
    let outcome = match word {
        None => options.serve(false),
        Some(Word::Serve { webhook }) => options.serve(webhook),
        Some(Word::Check { json, strict }) => {
            options.settings().and_then(|settings| command::check(&settings, json, strict))
        }
        Some(Word::Healthcheck { ready }) => {
            options.settings().and_then(|settings| command::healthcheck(&settings, ready))
        }
        Some(Word::Keys(word)) => {
            options.settings().and_then(|settings| command::administer(&settings, Order::Keys(word)))
        }
        Some(Word::Sessions(word)) => {
            options.settings().and_then(|settings| command::administer(&settings, Order::Sessions(word)))
        }
        Some(Word::Crds) => command::crds(),
        Some(Word::Hash) => command::hash(),
        Some(Word::Provider(ProviderWord::Test { tenant, username, grant_type })) => {
            let asked = command::ProviderTest { tenant, username, grant_type };
            options.settings().and_then(|settings| command::provider_test(&settings, asked))
        }
        Some(Word::ScriptWorker) => script::serve().map(|()| ExitCode::SUCCESS),
        Some(Word::Audit(AuditWord::Digest { name })) => {
            options.settings().and_then(|settings| command::audit_digest(&settings, &name))
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("uitsmijter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
