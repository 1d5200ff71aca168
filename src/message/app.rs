//! What an app is to WeChat: its kind, its encryption mode, the format of its pushes.

use serde::{Deserialize, Serialize};

/// The kind of account, which decides what may be sent and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    /// 小程序
    MiniProgram,
    /// 公众号
    OfficialAccount,
}

/// The encryption mode (消息加解密方式) that is set in WeChat's backend, from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 明文模式: the body is neither encrypted nor signed.
    Plain,
    /// 兼容模式: the body comes in clear and encrypted; only the encrypted part is read.
    Compat,
    /// 安全模式: the body comes encrypted only.
    Safe,
}

/// The data format of a push, told from its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `<xml>…</xml>`
    Xml,
    /// `{…}`
    Json,
}

impl std::fmt::Display for AppKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MiniProgram => "mini-program",
            Self::OfficialAccount => "official-account",
        })
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Compat => "compat",
            Self::Safe => "safe",
        })
    }
}
