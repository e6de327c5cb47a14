//! `sessions`: who is signed in, and its end.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uitsmijter::app::App;
use uitsmijter::issuer::Issuer;
use uitsmijter::protocol::error::OAuthError;
use uitsmijter::registry::tenant::{HostPattern, Tenant};
use uitsmijter::session::delivery::Delivery;
use uitsmijter::session::participant::Participant;
use uitsmijter::sso::administration::{self, ListedSession, Meant};

use super::key_words::for_each;
use super::output::Output;
use super::whose::{Whose, tenants};

/// What to do with the sessions.
#[derive(Subcommand, Serialize, Deserialize)]
pub(crate) enum SessionWord {
    /// Show the living sessions, the latest first.
    List {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        selected: Selected,
    },
    /// End sessions, with every grant and refresh token: at once on every server, and their clients are told. A person
    /// loses everything at the tenant, also what was granted for offline use, and what they agreed to.
    End {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        selected: Selected,
        /// Those of everybody.
        #[arg(long, conflicts_with_all = ["subject", "username", "client"],
              required_unless_present_any = ["subject", "username", "client"])]
        all: bool,
    },
}

/// Whose sessions.
#[derive(clap::Args, Serialize, Deserialize)]
#[group(multiple = false)]
pub(crate) struct Selected {
    /// Those of the person with this `sub`.
    #[arg(long)]
    subject: Option<String>,
    /// Those of whoever signed in by this name.
    #[arg(long)]
    username: Option<String>,
    /// Those in which this client was granted something; `end` ends all that was granted to it.
    #[arg(long)]
    client: Option<String>,
}

impl Selected {
    fn meant(self) -> Meant {
        match (self.subject, self.username, self.client) {
            (Some(subject), _, _) => Meant::Subject(subject),
            (_, Some(name), _) => Meant::Username(name),
            (_, _, Some(client)) => Meant::Client(client),
            _ => Meant::Everybody,
        }
    }
}

/// How long a command waits for clients to be told; the servers go on with what is left.
const TELLING: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Carries `word` out on the store of `app`.
pub(super) async fn carry_out_sessions(app: &App, word: SessionWord, said: &mut Output) -> Result<()> {
    match word {
        SessionWord::List { whose, selected } => list(app, &whose, &selected.meant(), said).await,
        SessionWord::End { whose, selected, .. } => end(app, &whose, &selected.meant(), said).await,
    }
}

async fn list(app: &App, whose: &Whose, meant: &Meant, said: &mut Output) -> Result<()> {
    let mut found: Vec<ListedSession> = Vec::new();
    let outcome =
        for_each(&tenants(&app.settings, &app.registry, whose.tenant.as_deref())?, said, async |tenant, _| {
            found.extend(administration::list(&issuer(app, tenant)?, meant).await.map_err(in_full)?);
            Ok(())
        })
        .await;
    if whose.json {
        said.json(&found)?;
    } else if !found.is_empty() || outcome.is_ok() {
        table(&found, said);
    }
    outcome
}

async fn end(app: &App, whose: &Whose, meant: &Meant, said: &mut Output) -> Result<()> {
    let before = untold(app, &[]).await?;
    let outcome =
        for_each(&tenants(&app.settings, &app.registry, whose.tenant.as_deref())?, said, async |tenant, said| {
            let ended = administration::end(&issuer(app, tenant)?, meant).await.map_err(in_full)?;
            if whose.json {
                return said.json(&ended);
            }
            said.line(format!("{}: ended {} sessions and {} grants", ended.tenant, ended.sessions, ended.grants));
            Ok(())
        })
        .await;
    let left = wait_for_clients(app, &before).await?;
    if left > 0 {
        said.error(format!("{left} clients have not been reached yet; running servers go on trying"));
    }
    outcome
}

/// The clients that have not been told yet that a session ended, but for those that are `known`.
async fn untold(app: &App, known: &[Participant]) -> Result<Vec<Participant>> {
    let pending = Delivery::pending(&app.store).await?.into_iter().map(|delivery| delivery.participant);
    Ok(pending.filter(|participant| !known.contains(participant)).collect())
}

/// Waits until the clients have been told; answers how many have not.
async fn wait_for_clients(app: &App, before: &[Participant]) -> Result<usize> {
    let mut waited = Duration::ZERO;
    loop {
        let pending = untold(app, before).await?.len();
        if pending == 0 || waited >= TELLING {
            return Ok(pending);
        }
        sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

fn issuer(app: &App, tenant: &Tenant) -> Result<Issuer> {
    // Tokens that say that a session ended carry the issuer under which it began; this name is never used.
    let HostPattern(host) = tenant.hosts.first().context("a tenant without hosts")?;
    app.issuer_named(&tenant.name, &format!("{}://{host}", app.settings.scheme()))
        .with_context(|| format!("tenant {} is not served any more", tenant.name))
}

/// Outages are printed with their cause; what an operator does is no protocol error.
fn in_full(error: OAuthError) -> anyhow::Error {
    let OAuthError { description, cause, .. } = error;
    cause.unwrap_or_else(|| anyhow!(description))
}

fn table(found: &[ListedSession], said: &mut Output) {
    if found.is_empty() {
        return said.line("Nobody is signed in.");
    }
    for ListedSession { tenant, sid, subject, username, signed_in_at, expires_at, browser } in found {
        said.line(
            [tenant, sid, subject, username].map(|text| text.escape_debug().to_string()).join("  ")
                + &format!("  since {signed_in_at}  until {expires_at}  {}", browser.escape_debug()),
        );
    }
}
