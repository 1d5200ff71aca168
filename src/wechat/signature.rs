//! `signature` and `msg_signature`: SHA-1 over the sorted parts, compared in constant time.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// `signature` of a query: over token, timestamp and nonce. Lower-case hex.
#[must_use]
pub fn signature(token: &str, timestamp: &str, nonce: &str) -> String {
    text(&sign([token, timestamp, nonce]))
}

/// `msg_signature`: over token, timestamp, nonce and the base64 text of `Encrypt`. Lower-case hex.
#[must_use]
pub fn msg_signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    text(&sign([token, timestamp, nonce, encrypt]))
}

/// Whether two signatures are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn verify(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

/// Whether `given` is the signature over these parts. Spares the hot path the text of the expected one.
pub(super) fn signs<const N: usize>(parts: [&str; N], given: &str) -> bool {
    // Word by word: `subtle` guards each unit that it compares from the optimizer, and that costs more than comparing.
    let Ok(given) = <[u8; 40]>::try_from(given.as_bytes()) else {
        return false;
    };
    words(sign(parts)).ct_eq(&words(given)).into()
}

fn words(hex: [u8; 40]) -> [u64; 5] {
    let mut words = [0; 5];
    for (word, bytes) in words.iter_mut().zip(hex.as_chunks().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

/// Lower-case hex of the first `N / 2` bytes of a digest.
pub(super) fn hex<const N: usize>(digest: &[u8]) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [b'0'; N];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

/// Hex, as text.
pub(super) fn text(hex: &[u8]) -> String {
    hex.iter().copied().map(char::from).collect()
}

/// The parts are sorted as bytes, not as numbers, and joined by nothing.
fn sign<const N: usize>(mut parts: [&str; N]) -> [u8; 40] {
    parts.sort_unstable();
    let mut sha1 = Sha1::new();
    for part in parts {
        sha1.update(part);
    }
    hex(&sha1.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;

    #[test]
    fn the_samples_of_wechats_own_pages_verify() {
        assert_eq!(
            signature("AAAAA", "1714036504", "1514711492"),
            "f464b24fc39322e44b38aa78f5edd27bd1441696"
        );
        assert_eq!(
            signature("AAAAA", "1714037059", "486452656"),
            "899cf89e464efb63f54ddac96b0a0a235f53aa78"
        );
        assert_eq!(
            msg_signature("RMNlACHlV5ThzfRlVS4D4", "timestamp", "nonce", "encrypt"),
            "8edac0945683c119ee71c9f6256d76c48aa08a96"
        );
    }

    #[test]
    fn every_valid_vector_verifies() {
        for v in vectors().valid {
            let expected = msg_signature(&v.token, &v.timestamp, &v.nonce, &v.encrypt);
            assert!(verify(&expected, &v.msg_signature), "{}", v.id);
            assert!(
                signs([&v.token, &v.timestamp, &v.nonce, &v.encrypt], &v.msg_signature),
                "{}",
                v.id
            );
            if let Some(plain) = v.signature {
                assert_eq!(signature(&v.token, &v.timestamp, &v.nonce), plain, "{}", v.id);
            }
        }
    }

    #[test]
    fn parts_are_sorted_as_text_not_as_numbers() {
        // "1732250001" < "42" as text.
        assert_eq!(
            signature("t0kenFarm9", "1732250001", "42"),
            "5b05e19f48ae7143271c50ff9402ed34fa572f48"
        );
    }

    #[test]
    fn anything_but_the_same_text_is_refused() {
        let right = signature("AAAAA", "1714036504", "1514711492");
        let parts = ["AAAAA", "1714036504", "1514711492"];
        assert!(signs(parts, &right));
        for wrong in [
            "",
            &right[..39],
            &format!("{right}0"),
            &right.to_uppercase(),
            "营业时间",
        ] {
            assert!(!verify(&right, wrong), "{wrong}");
            assert!(!signs(parts, wrong), "{wrong}");
        }
        for at in 0..right.len() {
            let mut wrong = right.clone().into_bytes();
            wrong[at] ^= 1;
            assert!(!signs(parts, &text(&wrong)), "{at}");
        }
    }
}
