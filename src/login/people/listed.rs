//! The people that a tenant lists itself, with the hashes of their passwords.

use anyhow::Result;
use async_trait::async_trait;

use super::inquiry::Inquiry;
use super::source::{Confirmed, People, Reply};
use crate::login::Credentials;
use crate::login::password::{PasswordChecker, cost};
use crate::registry::tenant::{Tenant, User};
use crate::session::Identity;
use crate::store::digest;

/// The lists of all tenants.
#[derive(Clone)]
pub(super) struct Listed(pub(super) PasswordChecker);

#[async_trait]
impl People for Listed {
    /// Takes as long for a name that is not on the list.
    async fn login(&self, tenant: &Tenant, credentials: &Credentials) -> Result<Reply<Identity>> {
        let user = tenant.users.get(&credentials.username);
        let compared = of_every_cost(tenant.users.values(), user);
        if compared.is_empty() {
            self.0.verify(None, &credentials.password).await;
        }
        let mut proven = false;
        for other in compared {
            let matches = self.0.verify(Some(&other.password_hash), &credentials.password).await;
            proven |= matches && user.is_some_and(|user| std::ptr::eq(user, other));
        }
        Ok(user.filter(|_| proven).map_or(Reply::No, |user| Reply::Yes(identity(user))))
    }

    async fn may_stay(&self, tenant: &Tenant, inquiry: Inquiry<'_>) -> Result<Reply<Confirmed>> {
        Ok(match standing(tenant, inquiry.person) {
            Reply::Yes(user) => Reply::Yes(Confirmed { person: identity(user), at: inquiry.now }),
            Reply::No => Reply::No,
            Reply::Undecided => Reply::Undecided,
        })
    }
}

/// Where the list has a person who signed in before. They stand as long as they are on it with the password that they
/// signed in with. A list that was not asked at the sign-in says nothing.
pub(super) fn standing<'t>(tenant: &'t Tenant, person: &Identity) -> Reply<&'t User> {
    let user = tenant.users.get(&person.username).filter(|user| subject(user) == person.subject);
    match (&person.listed, user) {
        (Some(then), Some(user)) if *then == digest(&user.password_hash) => Reply::Yes(user),
        (Some(_), _) => Reply::No,
        // A session of an earlier version, or somebody whom the script let in.
        (None, _) if tenant.users.is_empty() || tenant.signs_in_by_script() => Reply::Undecided,
        (None, Some(user)) => Reply::Yes(user),
        (None, None) => Reply::No,
    }
}

pub(super) fn subject(user: &User) -> &str {
    user.subject.as_deref().unwrap_or(&user.username)
}

/// One person for each cost of a hash on the list, `user` among them: comparing with all of these takes the same time
/// for every name. Nearly always it is one; where an operator wrote several kinds of hashes, the time would tell who is
/// listed.
fn of_every_cost<'a>(users: impl Iterator<Item = &'a User>, user: Option<&'a User>) -> Vec<&'a User> {
    let mut chosen: Vec<&User> = user.into_iter().collect();
    for other in users {
        if chosen.iter().all(|one| cost(&one.password_hash) != cost(&other.password_hash)) {
            chosen.push(other);
        }
    }
    chosen
}

pub(super) fn identity(user: &User) -> Identity {
    Identity {
        subject: subject(user).to_owned(),
        username: user.username.clone(),
        role: user.role.clone(),
        scopes: user.scopes.clone(),
        profile: user.profile.clone(),
        listed: Some(digest(&user.password_hash)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, parameters: &str) -> User {
        User {
            username: username.to_owned(),
            password_hash: format!(
                "$argon2id$v=19${parameters}$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A"
            ),
            subject: None,
            role: "default".to_owned(),
            profile: serde_json::Map::new(),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn every_name_costs_the_same_whoever_is_listed_first() {
        let (cheap, expensive) = ("m=8192,t=1,p=1", "m=65536,t=3,p=1");
        let users = [user("ada", cheap), user("bob", expensive), user("eve", cheap)];
        let work = |name: &str| {
            let known = users.iter().find(|user| user.username == name);
            let compared = of_every_cost(users.iter(), known);
            assert!(known.is_none_or(|known| compared.iter().any(|one| std::ptr::eq(*one, known))), "{name}");
            let mut costs: Vec<_> = compared.iter().map(|user| cost(&user.password_hash)).collect();
            costs.sort();
            costs
        };
        let all = [Some((8192, 1, 1)), Some((65536, 3, 1))];
        for name in ["ada", "bob", "eve", "nobody", ""] {
            assert_eq!(work(name), all, "{name}");
        }
        assert_eq!(of_every_cost(users[..1].iter(), None).len(), 1);
    }
}
