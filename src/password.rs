//! Passwords of those who sign in: kept as argon2id hashes, and nothing else.
//!
//! Hashing is slow on purpose (some tens of milliseconds, 19 MiB): from async code, call it in `spawn_blocking`.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params};

/// What a password must have at least, in characters.
pub const SHORTEST: usize = 8;

/// The most memory that a hash may ask for, in KiB: whoever tries to sign in makes us use it.
const MOST_MEMORY: u32 = 256 * 1024;

/// The most rounds that a hash may ask for.
const MOST_ROUNDS: u32 = 32;

/// A password could not be hashed: it is longer than 4 GiB, or the system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the password can't be hashed: {0}")]
pub struct HashError(argon2::password_hash::Error);

/// The hash of a password with a fresh salt, as a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$…`.
pub fn hash(password: &str) -> Result<String, HashError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(HashError)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `hash` was made of. False too when `hash` is none.
#[must_use]
pub fn verify(hash: &str, password: &str) -> bool {
    parse(hash).is_some_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether a text is a hash that [`verify`] can work with, in the memory that one sign-in may take.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_ROUNDS;
    (bounded && hash.salt.is_some() && hash.hash.is_some()).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_fits_its_hash() {
        let first = hash("一个很长的密码 pass").expect("hashed");
        let second = hash("一个很长的密码 pass").expect("hashed");
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second, "each has a salt of its own");
        assert!(is_hash(&first));
        assert!(verify(&first, "一个很长的密码 pass") && verify(&second, "一个很长的密码 pass"));
        assert!(!verify(&first, "一个很长的密码 pasS"));
        assert!(!verify(&first, ""));
        assert!(!verify("", "") && !verify("plain", "plain"));
    }

    #[test]
    fn other_hashes_are_none() {
        let good =
            "$argon2id$v=19$m=8192,t=3,p=1$c2FsdHNhbHRzYWx0$Yl6mgv2dQCDHAnhFNKlWZrQaQRBOIUQZCQVhqbnNaPs";
        assert!(is_hash(good), "whoever made it chose other costs");
        for wrong in [
            "",
            "password",
            "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$argon2id$v=19$m=8192,t=3,p=1$c2FsdHNhbHRzYWx0",
            &good.replace("argon2id", "scrypt"),
            &good.replace("m=8192", "m=4194304"),
            &good.replace("t=3", "t=1000"),
            &good.replace("m=8192", "m=1"),
        ] {
            assert!(!is_hash(wrong), "{wrong}");
        }
    }
}
