//! Passwords that are tried: whoever guesses is slowed down, whoever knows is spared.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Console;
use super::access::user;
use super::problem::Problem;
use super::request::Head;
use crate::config::AdminUser;
use crate::password;

/// Passwords that were tried.
pub struct Attempts {
    /// By name and address: nobody locks a user out from elsewhere.
    by_name: DefaultKeyedRateLimiter<[u8; 32]>,
    /// By address: new names are no new tries.
    by_address: DefaultKeyedRateLimiter<Option<IpAddr>>,
    /// Digests of names and passwords that were right, and until when that is taken for granted: a program sends them
    /// with each request, and one check costs some 30 ms.
    known: Mutex<HashMap<[u8; 32], Instant>>,
    /// Checks at once; each takes a core and 19 MiB.
    slots: Arc<Semaphore>,
}

/// Ten tries of a name, then one in half a minute.
const OF_A_NAME: (u32, Duration) = (10, Duration::from_secs(30));
/// An office may be behind one address.
const OF_AN_ADDRESS: (u32, Duration) = (50, Duration::from_secs(6));
/// Names and addresses that are remembered.
const KEYS: usize = 10_000;
const KNOWN_TIME: Duration = Duration::from_mins(5);
const KNOWN: usize = 100;
/// No user has a longer name; in characters.
const LONGEST_NAME: usize = 64;

impl Default for Attempts {
    fn default() -> Self {
        Self {
            by_name: RateLimiter::keyed(quota(OF_A_NAME)),
            by_address: RateLimiter::keyed(quota(OF_AN_ADDRESS)),
            known: Mutex::default(),
            slots: Arc::new(Semaphore::new(1)),
        }
    }
}

fn quota((burst, pause): (u32, Duration)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(pause).map(|quota| quota.allow_burst(burst));
    quota.unwrap_or_else(|| Quota::per_minute(burst))
}

impl Attempts {
    /// The user of this name, if the password is theirs.
    pub(super) async fn check<'a>(
        &self,
        console: &'a Console,
        head: &Head,
        name: &str,
        password: String,
    ) -> Result<&'a AdminUser, Problem> {
        let digest = digest(&[name, &password]);
        let user = user(console, name);
        if let Some(user) = user
            && self.is_known(&digest)
        {
            return Ok(user);
        }
        self.admit(name, head.from).inspect_err(|_| {
            console.metrics.sign_in("delayed");
        })?;
        let slots = Arc::clone(&self.slots);
        let slot = slots.acquire_owned().await;
        // An unknown name takes as long as a known one.
        let hashed = user
            .or(console.users.first())
            .map(|user| user.password_hash.clone());
        let right = spawn_blocking(move || {
            // Held for as long as the core is, also when nobody waits any more.
            let _slot = slot;
            hashed.is_some_and(|hash| password::verify(hash.expose_secret(), &password))
        })
        .await;
        match (user, right) {
            (Some(user), Ok(true)) => {
                console.metrics.sign_in("right");
                self.remember(digest);
                Ok(user)
            }
            _ => {
                console.metrics.sign_in("wrong");
                let address = head.from.map(tracing::field::display);
                tracing::warn!(name, address, "somebody tried to sign in at the console in vain");
                Err(wrong())
            }
        }
    }

    /// Whether another try of this name from there is heard.
    fn admit(&self, name: &str, from: Option<IpAddr>) -> Result<(), Problem> {
        let network = from.map(network);
        if self.by_address.len() > KEYS {
            self.by_address.retain_recent();
        }
        if self.by_name.len() > KEYS {
            self.by_name.retain_recent();
        }
        let delayed = |(_, pause): (u32, Duration), words: &str| {
            Problem::too_many(
                pause.as_secs(),
                format!("too many attempts to sign in; wait {words}"),
            )
        };
        if self.by_address.check_key(&network).is_err() {
            return Err(delayed(OF_AN_ADDRESS, "a few seconds"));
        }
        if name.chars().nth(LONGEST_NAME).is_some() {
            return Err(wrong());
        }
        let key = digest(&[
            name,
            &network.map(|address| address.to_string()).unwrap_or_default(),
        ]);
        if self.by_name.check_key(&key).is_err() {
            return Err(delayed(OF_A_NAME, "half a minute"));
        }
        Ok(())
    }

    fn is_known(&self, digest: &[u8; 32]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|until| *until > Instant::now())
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.len() >= KNOWN {
            known.retain(|_, until| *until > now);
        }
        if known.len() < KNOWN {
            known.insert(digest, now + KNOWN_TIME);
        }
    }
}

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "no user has this name and password")
}

/// What one customer of a provider has for themselves: of IPv6, 64 bits are theirs to fill in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| {
        hash.chain_update(part.len().to_le_bytes()).chain_update(part)
    });
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn a_name_is_tried_ten_times_and_an_address_not_much_oftener() {
        let attempts = Attempts::default();
        let tries = |name: &str, from: &str| {
            let tries = std::iter::repeat_with(|| attempts.admit(name, at(from)));
            tries.take(100).take_while(Result::is_ok).count()
        };
        assert_eq!(tries("ops", "192.0.2.1"), 10);
        assert_eq!(
            tries("ops", "192.0.2.2"),
            10,
            "nobody is locked out from elsewhere"
        );
        let names: Vec<String> = (0..100).map(|n| format!("name {n}")).collect();
        let heard = names
            .iter()
            .filter(|name| attempts.admit(name, at("192.0.2.3")).is_ok());
        assert_eq!(heard.count(), 50);
        let addresses = (0..100).map(|n| format!("2001:db8::{n:x}"));
        let heard = names.iter().zip(addresses);
        let heard = heard.filter(|(name, from)| attempts.admit(name, at(from)).is_ok());
        assert_eq!(heard.count(), 50, "whoever has one IPv6 address has 2^64 of them");
    }

    #[test]
    fn names_that_no_user_can_have_are_not_kept() {
        let attempts = Attempts::default();
        let refused = attempts
            .admit(&"长".repeat(65), at("192.0.2.1"))
            .expect_err("too long");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(attempts.by_name.len(), 0);
        assert!(attempts.admit(&"长".repeat(64), at("192.0.2.1")).is_ok());
    }
}
