//! The faults that the simulator can be told to show, by name.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// A way in which WeChat, or the way to it, can misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The token is revoked.
    RevokeToken,
    /// The token expires.
    ExpireToken,
    /// errcode −1.
    Busy,
    /// errcode 45009 or 45011.
    RateLimit,
    /// Answers come late.
    Latency,
    /// The connection is closed before the request is looked at.
    Drop,
    /// The message is delivered, and the connection is closed without an answer.
    LostAnswer,
    /// HTTP status 500.
    #[serde(rename = "http-500")]
    Http500,
    /// A gateway's page instead of JSON.
    Html,
    /// errcode 45047.
    Quota,
    /// errcode 40007.
    MediaGone,
}

/// Marks a response that is never written: the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct HangUp;

/// How often a fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultSetting {
    /// The share of calls that it hits, 0 (never) to 1 (every one).
    pub probability: f64,
    /// How many more calls it hits before it is switched off; `None`: no end.
    #[serde(default)]
    pub count: Option<u32>,
    /// Milliseconds of `latency`, errcode of `rate-limit`, status of `html`; 0: the default.
    #[serde(default)]
    pub value: u32,
}

impl FaultSetting {
    /// Every call.
    pub const ALWAYS: Self = Self {
        probability: 1.0,
        count: None,
        value: 0,
    };
    /// No call.
    pub const OFF: Self = Self {
        probability: 0.0,
        count: None,
        value: 0,
    };

    /// The next `count` calls.
    #[must_use]
    pub fn times(count: u32) -> Self {
        Self {
            count: Some(count),
            ..Self::ALWAYS
        }
    }

    /// The same with `latency`'s milliseconds, `rate-limit`'s errcode or `html`'s status.
    #[must_use]
    pub fn with_value(self, value: u32) -> Self {
        Self { value, ..self }
    }
}

/// What a fault is, for the page and for `--help`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FaultHelp {
    /// The fault.
    pub fault: Fault,
    /// Its name.
    pub name: &'static str,
    /// What it does, in English.
    pub en: &'static str,
    /// What it does, in Chinese.
    pub zh: &'static str,
    /// The values that can be chosen, the default first; none for most.
    pub values: &'static [u32],
}

/// Every fault, in the order in which a call meets them.
pub const FAULTS: [FaultHelp; 11] = [
    FaultHelp {
        fault: Fault::Latency,
        name: "latency",
        en: "Answers come this many milliseconds late.",
        zh: "每次调用延迟这么多毫秒才应答。",
        values: &[1000, 3000, 12000],
    },
    FaultHelp {
        fault: Fault::Drop,
        name: "drop",
        en: "The connection is closed; the request has no effect.",
        zh: "连接被断开，请求不生效。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::Http500,
        name: "http-500",
        en: "Status 500 with an empty body.",
        zh: "返回 HTTP 500，内容为空。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::Html,
        name: "html",
        en: "A gateway's HTML page instead of JSON, with this status.",
        zh: "返回网关的 HTML 页面（不是 JSON），状态码如所选。",
        values: &[502, 200],
    },
    FaultHelp {
        fault: Fault::Busy,
        name: "busy",
        en: "errcode -1: the system is busy.",
        zh: "errcode -1：系统繁忙。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::RateLimit,
        name: "rate-limit",
        en: "errcode 45011 (too many calls this minute) or 45009 (the day's calls are used up).",
        zh: "errcode 45011（每分钟调用太频繁）或 45009（当日调用次数用完）。",
        values: &[45011, 45009],
    },
    FaultHelp {
        fault: Fault::RevokeToken,
        name: "revoke-token",
        en: "The token is revoked: errcode 40001 until a new one is fetched.",
        zh: "access_token 被作废：在重新获取之前返回 40001。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::ExpireToken,
        name: "expire-token",
        en: "The token expires early: errcode 42001 until a new one is fetched.",
        zh: "access_token 提前过期：在重新获取之前返回 42001。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::Quota,
        name: "quota",
        en: "Sending is refused with errcode 45047: the customer's reply quota is used up.",
        zh: "发送被拒，errcode 45047：对该客户的下行条数用完。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::MediaGone,
        name: "media-gone",
        en: "Sending a picture is refused with errcode 40007: its media_id is gone.",
        zh: "发送图片被拒，errcode 40007：media_id 已失效。",
        values: &[],
    },
    FaultHelp {
        fault: Fault::LostAnswer,
        name: "lost-answer",
        en: "The message is delivered, but the connection is closed before the answer.",
        zh: "消息已送达，但应答之前连接被断开。",
        values: &[],
    },
];

/// The faults that are switched on.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(Fault, FaultSetting)>);

impl Faults {
    pub(super) fn set(&mut self, fault: Fault, setting: FaultSetting) {
        self.0.retain(|(f, _)| *f != fault);
        if setting.probability > 0.0 && setting.count != Some(0) {
            self.0.push((fault, setting));
        }
    }

    pub(super) fn get(&self, fault: Fault) -> FaultSetting {
        self.0
            .iter()
            .find(|(f, _)| *f == fault)
            .map_or(FaultSetting::OFF, |(_, setting)| *setting)
    }

    /// Whether the fault hits this call; gives its value.
    pub(super) fn hits(&mut self, fault: Fault, random: &mut impl Rng) -> Option<u32> {
        let setting = &mut self.0.iter_mut().find(|(f, _)| *f == fault)?.1;
        if !random.random_bool(setting.probability.clamp(0.0, 1.0)) {
            return None;
        }
        let value = match setting.value {
            0 => FAULTS
                .iter()
                .find(|help| help.fault == fault)
                .and_then(|help| help.values.first())
                .copied()
                .unwrap_or_default(),
            value => value,
        };
        if let Some(count) = &mut setting.count {
            *count -= 1;
            if *count == 0 {
                self.set(fault, FaultSetting::OFF);
            }
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_switches_itself_off() {
        let mut faults = Faults::default();
        faults.set(Fault::Busy, FaultSetting::times(2));
        let random = &mut rand::rng();
        let hits: Vec<bool> = (0..4)
            .map(|_| faults.hits(Fault::Busy, random).is_some())
            .collect();
        assert_eq!(hits, [true, true, false, false]);
        assert_eq!(faults.get(Fault::Busy), FaultSetting::OFF);
    }

    #[test]
    fn a_value_has_a_default() {
        let mut faults = Faults::default();
        let random = &mut rand::rng();
        faults.set(Fault::RateLimit, FaultSetting::ALWAYS);
        assert_eq!(faults.hits(Fault::RateLimit, random), Some(45011));
        faults.set(Fault::RateLimit, FaultSetting::ALWAYS.with_value(45009));
        assert_eq!(faults.hits(Fault::RateLimit, random), Some(45009));
        assert_eq!(faults.hits(Fault::Html, random), None);
    }

    #[test]
    fn the_table_names_each_fault_once_as_serde_does() {
        for help in FAULTS {
            assert_eq!(
                serde_json::to_value(help.fault).expect("serializable"),
                serde_json::Value::from(help.name)
            );
            assert_eq!(FAULTS.iter().filter(|other| other.fault == help.fault).count(), 1);
        }
    }
}
