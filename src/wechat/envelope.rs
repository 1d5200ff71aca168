//! The AES-256-CBC envelope: `EncodingAESKey`, sealing and opening, 32-byte padding, the AppID check.
//!
//! ```text
//! clear    = random (16 bytes) ‖ length of message (u32, big-endian) ‖ message ‖ AppID
//! Encrypt  = base64( AES-256-CBC( key, IV = first half of key, clear ‖ n × byte n ) ), n = 1 to 32
//! ```
//!
//! The padding fills blocks of 32 bytes though AES has blocks of 16, so the stock PKCS#7 of crypto crates refuses
//! about half of WeChat's messages. The envelope has no integrity of its own: check `msg_signature` first.

use std::fmt;
use std::sync::LazyLock;

use aes::cipher::KeyInit;
use aes::{Aes256Dec, Aes256Enc, Block};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};

const KEY_LEN: usize = 32;
const KEY_TEXT_LEN: usize = 43;
const BLOCK: usize = 32;
const RANDOM_LEN: usize = 16;
const HEADER_LEN: usize = RANDOM_LEN + 4;

/// The key that `EncodingAESKey` stands for, with its key schedule ready.
#[derive(Clone)]
pub struct AesKey {
    encryptor: Aes256Enc,
    decryptor: Aes256Dec,
    iv: Block,
}

/// Why a text is no `EncodingAESKey`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AesKeyError {
    /// It has not 43 characters.
    #[error("has {0} characters; an EncodingAESKey has exactly 43")]
    Length(usize),
    /// It has a character that no EncodingAESKey has.
    #[error("holds {0:?}; an EncodingAESKey has only letters and digits")]
    Character(char),
}

/// Why an envelope could not be opened. Kept inside: whoever sent it is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not base64.
    #[error("not base64")]
    Base64,
    /// Empty, or no whole number of blocks.
    #[error("bad ciphertext length")]
    Length,
    /// Bad padding.
    #[error("bad padding")]
    Padding,
    /// Shorter than its own header, or its length field leads past its end.
    #[error("bad inner length")]
    Inner,
    /// Sealed for another app.
    #[error("appid mismatch")]
    AppId,
}

impl AesKey {
    /// Decodes an `EncodingAESKey`; blanks around it are forgiven, and so are stray bits in its last character.
    pub fn decode(encoding_aes_key: &str) -> Result<Self, AesKeyError> {
        let key = decode_key(encoding_aes_key)?;
        let mut iv = Block::default();
        iv.copy_from_slice(&key[..size_of::<Block>()]);
        Ok(Self {
            encryptor: Aes256Enc::new(&key.into()),
            decryptor: Aes256Dec::new(&key.into()),
            iv,
        })
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey([REDACTED])")
    }
}

/// Opens `Encrypt` and gives the message inside it.
pub fn open(key: &AesKey, receive_id: &str, encrypt: &str) -> Result<Vec<u8>, OpenError> {
    let mut clear = FAST_BASE64.decode(encrypt).map_err(|_| OpenError::Base64)?;
    if clear.is_empty() || !clear.len().is_multiple_of(BLOCK) {
        return Err(OpenError::Length);
    }
    let (blocks, _) = Block::slice_as_chunks_mut(&mut clear);
    cbc::Decryptor::inner_iv_init(&key.decryptor, &key.iv).decrypt_blocks(blocks);

    // Every byte of the padding is looked at: WeChat's own demo code looks at the last one alone.
    let pad = usize::from(clear[clear.len() - 1]);
    if !(1..=BLOCK).contains(&pad) {
        return Err(OpenError::Padding);
    }
    let end = clear.len() - pad;
    if clear[end..].iter().any(|byte| usize::from(*byte) != pad) {
        return Err(OpenError::Padding);
    }
    clear.truncate(end);

    let (header, rest) = clear.split_at_checked(HEADER_LEN).ok_or(OpenError::Inner)?;
    let length = header[RANDOM_LEN..]
        .iter()
        .fold(0, |length, byte| length << 8 | u64::from(*byte));
    let length = usize::try_from(length).map_err(|_| OpenError::Inner)?;
    let (_, app_id) = rest.split_at_checked(length).ok_or(OpenError::Inner)?;
    if app_id != receive_id.as_bytes() {
        return Err(OpenError::AppId);
    }
    clear.truncate(HEADER_LEN + length);
    clear.drain(..HEADER_LEN);
    Ok(clear)
}

/// Seals a message: the base64 text for `Encrypt`. `random` are the 16 bytes that begin the clear text.
#[must_use]
pub fn seal(key: &AesKey, receive_id: &str, message: &[u8], random: [u8; RANDOM_LEN]) -> String {
    let mut sealed = Vec::with_capacity(HEADER_LEN + message.len() + receive_id.len() + BLOCK);
    sealed.extend_from_slice(&random);
    // A message of 4 GiB would be cut short here and refused by whoever opens it; ours are a few hundred bytes.
    sealed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    sealed.extend_from_slice(message);
    sealed.extend_from_slice(receive_id.as_bytes());
    let pad = BLOCK - sealed.len() % BLOCK;
    #[allow(clippy::cast_possible_truncation)] // at most 32
    sealed.resize(sealed.len() + pad, pad as u8);
    let (blocks, _) = Block::slice_as_chunks_mut(&mut sealed);
    cbc::Encryptor::inner_iv_init(&key.encryptor, &key.iv).encrypt_blocks(blocks);
    STANDARD.encode(sealed)
}

/// The 43rd character carries two bits that the key does not use. WeChat's backend draws it at random like the
/// others, so those bits are set in three keys of four, and a strict decoder refuses them.
fn decode_key(encoding_aes_key: &str) -> Result<[u8; KEY_LEN], AesKeyError> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let text = encoding_aes_key.trim();
    let length = text.chars().count();
    if length != KEY_TEXT_LEN {
        return Err(AesKeyError::Length(length));
    }
    if let Some(stranger) = text.chars().find(|c| !c.is_ascii_alphanumeric()) {
        return Err(AesKeyError::Character(stranger));
    }
    ENGINE
        .decode(text)
        .ok()
        .and_then(|key| key.try_into().ok())
        .ok_or(AesKeyError::Length(length))
}

/// Decoding is the dearest step of opening after the signature; with SIMD it takes a third of the time.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
static FAST_BASE64: LazyLock<base64::engine::Simd> =
    LazyLock::new(|| base64::engine::Simd::standard(GeneralPurposeConfig::new()));

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
static FAST_BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| STANDARD);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::signature::{hex, text};
    use super::super::vectors;
    use super::*;

    const KEY: &str = "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR";

    fn key() -> AesKey {
        AesKey::decode(KEY).expect("a valid key")
    }

    #[test]
    fn keys_decode_to_the_bytes_that_other_implementations_see() {
        for (id, bytes) in [
            (
                "V4",
                "8d69989bbaabe67328014c194631ad0719b3dca035b64023df292447aab60760",
            ),
            (
                "V5e",
                "916c4f115d94103cb15a998f74a0b71787603c398ebdf297d471a71140d2d5a4",
            ),
            (
                "V6",
                "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051",
            ),
            (
                "V8",
                "ebc269b5205f09d4dad7655129add9b6fe1c0d16ea968afc2a0cba73d97a6ca2",
            ),
            (
                "V1",
                "0000000000000000000000000000000000000000000000000000000000000000",
            ),
        ] {
            let vector = vectors().valid.into_iter().find(|v| v.id == id).expect(id);
            let key = decode_key(&vector.encoding_aes_key).expect(id);
            assert_eq!(text(&hex::<64>(&key)), bytes, "{id}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_fault() {
        assert_eq!(decode_key(&KEY[..42]), Err(AesKeyError::Length(42)));
        assert_eq!(decode_key(&format!("{KEY}=")), Err(AesKeyError::Length(44)));
        assert_eq!(decode_key(""), Err(AesKeyError::Length(0)));
        for stranger in ['+', '/', '=', ' ', '-', '键'] {
            let text: String = KEY
                .chars()
                .take(20)
                .chain([stranger])
                .chain(KEY.chars().skip(21))
                .collect();
            assert_eq!(decode_key(&text), Err(AesKeyError::Character(stranger)));
        }
        assert!(
            decode_key(&format!("  {KEY}\n")).is_ok(),
            "blanks around it are forgiven"
        );
        let error = AesKey::decode("secret").expect_err("too short").to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(!format!("{:?}", key()).contains("Q7m"));
    }

    #[test]
    fn every_valid_vector_opens_and_seals_to_the_same_bytes() {
        for v in vectors().valid {
            let key = AesKey::decode(&v.encoding_aes_key).expect(&v.id);
            let message = open(&key, &v.receive_id, &v.encrypt).expect(&v.id);
            assert_eq!(String::from_utf8_lossy(&message), v.plaintext, "{}", v.id);
            let random: [u8; 16] = v.random.as_bytes().try_into().expect(&v.id);
            assert_eq!(
                seal(&key, &v.receive_id, v.plaintext.as_bytes(), random),
                v.encrypt,
                "{}",
                v.id
            );
        }
    }

    #[test]
    fn every_invalid_vector_is_refused_for_its_own_reason() {
        for v in vectors().invalid {
            let key = AesKey::decode(&v.encoding_aes_key).expect(&v.id);
            let opened = open(&key, &v.receive_id, &v.encrypt);
            let expected = match v.id.as_str() {
                // Its signature is at fault; the envelope itself is sound.
                "N1" => {
                    assert!(opened.is_ok());
                    continue;
                }
                "N2" => OpenError::AppId,
                "N3" | "N4" | "N5" => OpenError::Padding,
                "N6" | "N7" => OpenError::Inner,
                "N8" | "N10" => OpenError::Length,
                "N9" => OpenError::Base64,
                id => panic!("no expectation for {id}"),
            };
            assert_eq!(opened, Err(expected), "{}: {}", v.id, v.why);
        }
    }

    #[test]
    fn half_a_padding_block_is_refused() {
        // 48 bytes: whole blocks for AES, but WeChat never sends such a length.
        let text = STANDARD.encode([7; 48]);
        assert_eq!(open(&key(), "wx", &text), Err(OpenError::Length));
    }

    #[test]
    fn every_length_of_a_block_survives() {
        for length in 0..=64 {
            let message: Vec<u8> = (0..length).collect();
            let sealed = seal(&key(), "wx0123456789abcdef", &message, [length; 16]);
            assert_eq!(
                open(&key(), "wx0123456789abcdef", &sealed),
                Ok(message),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn opening_never_panics(text in "\\PC*", bytes: Vec<u8>) {
            let _ = open(&key(), "wx", &text);
            let _ = open(&key(), "wx", &STANDARD.encode(bytes));
        }

        #[test]
        fn opening_blocks_of_anything_never_panics(bytes in proptest::collection::vec(any::<[u8; 32]>(), 1..8)) {
            let _ = open(&key(), "wx", &STANDARD.encode(bytes.concat()));
        }

        #[test]
        fn what_is_sealed_opens(message: Vec<u8>, app_id in "[a-z0-9]{0,40}", random: [u8; 16]) {
            let sealed = seal(&key(), &app_id, &message, random);
            prop_assert_eq!(open(&key(), &app_id, &sealed), Ok(message.clone()));
            prop_assert_eq!(open(&key(), &format!("{app_id}x"), &sealed), Err(OpenError::AppId));
        }
    }
}
