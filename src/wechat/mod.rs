//! WeChat's protocol: bytes ⇄ types. Knows nothing of rules or storage.
//!
//! Covered: the check of the callback URL, pushes in plain, compat and safe mode as XML or JSON, the passive answer
//! `transfer_customer_service`, return codes, reply quotas, and (in [`api`]) the back-end calls that we make.

pub mod api;
mod envelope;
mod errcode;
mod errcode_zh;
mod inbound;
mod passive;
mod push;
mod query;
mod quota;
mod signature;
mod xml;

pub use envelope::{AesKey, AesKeyError, OpenError, open, seal};
pub use errcode::{ErrcodeClass, errcode};
pub use errcode_zh::errcode_zh;
pub use passive::{Asked, passive_answer};
pub use push::{Credentials, Opened, Push, Refusal, check_url, open_push};
pub use query::PushQuery;
pub use quota::{Grant, grant};
pub use signature::{msg_signature, signature, verify};

#[cfg(test)]
use testdata::vectors;

/// Envelopes that other implementations sealed, and some that must not open.
#[cfg(test)]
mod testdata {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub(super) struct Vectors {
        pub(super) valid: Vec<Valid>,
        pub(super) invalid: Vec<Invalid>,
    }

    #[derive(Deserialize)]
    pub(super) struct Valid {
        pub(super) id: String,
        pub(super) token: String,
        pub(super) encoding_aes_key: String,
        pub(super) receive_id: String,
        pub(super) timestamp: String,
        pub(super) nonce: String,
        pub(super) msg_signature: String,
        pub(super) signature: Option<String>,
        pub(super) random: String,
        pub(super) plaintext: String,
        pub(super) encrypt: String,
    }

    #[derive(Deserialize)]
    pub(super) struct Invalid {
        pub(super) id: String,
        pub(super) why: String,
        pub(super) token: String,
        pub(super) encoding_aes_key: String,
        pub(super) receive_id: String,
        pub(super) timestamp: String,
        pub(super) nonce: String,
        pub(super) msg_signature: String,
        pub(super) encrypt: String,
    }

    pub(super) fn vectors() -> Vectors {
        serde_json::from_str(include_str!("testdata/vectors.json")).expect("valid JSON")
    }
}
