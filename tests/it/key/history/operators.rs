//! What operators do, each on a machine with its own clock.

use super::*;

impl World {
    /// What `uitsmijter keys rotate` does: read, change, compare and set.
    fn operator(&mut self, choice: u8, change: impl FnOnce(&mut Self, &mut KeySet, Timestamp)) {
        let now = Timestamp(self.time + i64::from(choice) % 61 - 30);
        if let Some(expected) = self.stored.clone() {
            let mut new = expected.clone();
            change(self, &mut new, now);
            if self.write(Some(&expected), new) {
                self.news.add("tenant");
            }
        }
    }

    pub(super) fn operator_rotates(&mut self, choice: u8) {
        self.operator(choice, |world, set, now| {
            if set.coming(ALGORITHM, now).is_none() {
                set.keys.push(world.make(now, world.policy.grace.as_secs(), false));
            }
        });
    }

    pub(super) fn operator_rotates_now(&mut self, choice: u8) {
        self.operator(choice, |world, set, now| {
            let coming = set.coming(ALGORITHM, now).map(|key| key.public.kid.clone());
            let kid = coming.unwrap_or_else(|| {
                set.keys.push(world.make(now, world.policy.grace.as_secs(), false));
                set.keys.last().unwrap().public.kid.clone()
            });
            set.start_at_once(&kid, now);
            world.forced.insert(kid, world.time);
        });
    }

    pub(super) fn operator_revokes(&mut self, choice: u8) {
        self.operator(choice, |world, set, now| {
            let kid = set.keys[usize::from(choice) % set.keys.len()].public.kid.clone();
            let signs = set.signing(ALGORITHM, now).is_some_and(|key| key.kid() == kid);
            set.revoke(&kid, now);
            world.tokens.remove(&kid);
            world.revoked.insert(kid);
            if signs {
                let coming = set.coming(ALGORITHM, now).map(|key| key.public.kid.clone());
                let next = coming.unwrap_or_else(|| {
                    set.keys.push(world.make(now, world.policy.grace.as_secs(), false));
                    set.keys.last().unwrap().public.kid.clone()
                });
                set.start_at_once(&next, now);
                world.forced.insert(next, world.time);
            }
        });
    }
}
