//! Access tokens: two isolated lines, `token` and `stable_token`, with WeChat's lifetimes and limits.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::account::letters;
use super::errcode::Refused;

/// Retired tokens work this long beside the new one, and stable tokens are renewed this long before their end.
const CHANGEOVER: Duration = Duration::from_secs(300);
const LIFETIME: Duration = Duration::from_secs(7200);
const FORCED_APART: Duration = Duration::from_secs(30);
const FORCED_A_DAY: usize = 20;
const DAY: Duration = Duration::from_secs(86_400);
/// How many tokens are remembered, so that an old one is told from a made-up one.
const REMEMBERED: usize = 64;

/// All tokens of the account.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) lifetime: Duration,
    issued: VecDeque<Issued>,
    forced: VecDeque<Timestamp>,
    pub(super) count: u64,
}

#[derive(Clone, Debug)]
struct Issued {
    token: String,
    line: Line,
    expires: Timestamp,
    /// From when on it is no longer "latest".
    retired: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Classic,
    Stable,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            issued: VecDeque::new(),
            forced: VecDeque::new(),
            count: 0,
        }
    }
}

impl Tokens {
    /// `GET token`: always a new token; the old one works on for the changeover.
    pub(super) fn classic(&mut self, now: Timestamp, random: &mut impl Rng) -> (String, i64) {
        self.retire(Line::Classic, after(now, CHANGEOVER));
        self.issue(Line::Classic, now, random)
    }

    /// `POST stable_token`: the same token while it is valid, with the time that it has left.
    pub(super) fn stable(
        &mut self,
        force: bool,
        now: Timestamp,
        random: &mut impl Rng,
    ) -> Result<(String, i64), Refused> {
        let early = CHANGEOVER.min(self.lifetime / 24);
        let latest = self
            .issued
            .iter()
            .rev()
            .find(|i| i.line == Line::Stable && i.retired.is_none());
        let present = latest
            .filter(|i| after(now, early) < i.expires)
            .map(|i| (i.token.clone(), i.expires.as_second() - now.as_second()));
        if force && !self.forced_lately(now) {
            self.forced.retain(|at| after(*at, DAY) > now);
            if self.forced.len() >= FORCED_A_DAY {
                return Err(Refused::new(45009, "reach max api daily quota limit"));
            }
            self.forced.push_back(now);
            self.retire(Line::Stable, now);
            return Ok(self.issue(Line::Stable, now, random));
        }
        // Within 30 s of the last forced renewal, another changes nothing (WeChat's own words).
        Ok(present.unwrap_or_else(|| self.issue(Line::Stable, now, random)))
    }

    fn forced_lately(&self, now: Timestamp) -> bool {
        self.forced
            .back()
            .is_some_and(|last| after(*last, FORCED_APART) > now)
    }

    fn issue(&mut self, line: Line, now: Timestamp, random: &mut impl Rng) -> (String, i64) {
        let issued = Issued {
            // WeChat's begin with the number of a key, `_`, and go on for some 130 characters.
            token: format!("{}_{}", 60 + self.count % 40, letters(133, random)),
            line,
            expires: after(now, self.lifetime),
            retired: None,
        };
        self.count += 1;
        let answer = (issued.token.clone(), issued.expires.as_second() - now.as_second());
        self.issued.push_back(issued);
        if self.issued.len() > REMEMBERED {
            self.issued.pop_front();
        }
        answer
    }

    fn retire(&mut self, line: Line, at: Timestamp) {
        for issued in self.issued.iter_mut().filter(|i| i.line == line) {
            issued.retired = Some(issued.retired.map_or(at, |earlier| earlier.min(at)));
        }
    }

    /// Whether a call with this token is let through.
    pub(super) fn check(&self, token: Option<&str>, now: Timestamp) -> Result<(), Refused> {
        let Some(token) = token.filter(|t| !t.is_empty()) else {
            return Err(Refused::new(41001, "access_token missing"));
        };
        if token.len() < 100
            || !token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        {
            return Err(Refused::new(40014, "invalid access_token"));
        }
        let not_latest = "invalid credential, access_token is invalid or not latest";
        match self.issued.iter().find(|i| i.token == token) {
            None => Err(Refused::new(40001, not_latest)),
            Some(i) if i.retired.is_some_and(|at| at <= now) => Err(Refused::new(40001, not_latest)),
            Some(i) if i.expires <= now => Err(Refused::new(42001, "access_token expired")),
            Some(_) => Ok(()),
        }
    }

    /// Makes every token invalid (40001) until a new one is fetched.
    pub(super) fn revoke(&mut self, now: Timestamp) {
        self.retire(Line::Classic, now);
        self.retire(Line::Stable, now);
    }

    /// Makes every token expired (42001).
    pub(super) fn expire(&mut self, now: Timestamp) {
        for issued in &mut self.issued {
            issued.expires = issued.expires.min(now);
        }
    }

    /// Seconds that the newest token has left, if it is still valid.
    pub(super) fn left(&self, now: Timestamp) -> Option<i64> {
        let newest = self.issued.back()?;
        self.check(Some(&newest.token), now)
            .ok()
            .map(|()| newest.expires.as_second() - now.as_second())
    }
}

/// A moment later; times that no calendar has count as the last one it has.
pub(super) fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_732_250_000 + second).expect("valid")
    }

    fn code(tokens: &Tokens, token: &str, now: Timestamp) -> i64 {
        tokens
            .check(Some(token), now)
            .err()
            .map_or(0, |refused| refused.errcode)
    }

    #[test]
    fn a_stable_token_stays_the_same_and_counts_down() {
        let mut tokens = Tokens::default();
        let random = &mut rand::rng();
        let (first, left) = tokens.stable(false, at(0), random).expect("a token");
        assert_eq!(left, 7200);
        assert_eq!(
            tokens.stable(false, at(6000), random).expect("a token"),
            (first.clone(), 1200)
        );
        let (second, left) = tokens.stable(false, at(6901), random).expect("a token");
        assert_ne!(second, first, "renewed in the last five minutes");
        assert_eq!(left, 7200);
        assert_eq!(
            code(&tokens, &first, at(7199)),
            0,
            "both are valid in the changeover"
        );
        assert_eq!(code(&tokens, &first, at(7200)), 42001);
    }

    #[test]
    fn forcing_retires_the_token_at_once_but_not_twice_in_30_seconds() {
        let mut tokens = Tokens::default();
        let random = &mut rand::rng();
        let (first, _) = tokens.stable(true, at(0), random).expect("a token");
        let (same, _) = tokens.stable(true, at(29), random).expect("a token");
        assert_eq!(first, same);
        let (second, _) = tokens.stable(true, at(30), random).expect("a token");
        assert_ne!(first, second);
        assert_eq!(code(&tokens, &first, at(30)), 40001);
        for i in 2..20 {
            tokens.stable(true, at(30 * i), random).expect("twenty a day");
        }
        let refused = tokens.stable(true, at(600), random).expect_err("the 21st");
        assert_eq!(refused.errcode, 45009);
        assert!(
            tokens.stable(true, at(86_400 + 31), random).is_ok(),
            "the next day"
        );
    }

    #[test]
    fn a_classic_token_retires_the_one_before_after_five_minutes() {
        let mut tokens = Tokens::default();
        let random = &mut rand::rng();
        let (stable, _) = tokens.stable(false, at(0), random).expect("a token");
        let (first, _) = tokens.classic(at(0), random);
        let (second, _) = tokens.classic(at(10), random);
        assert_ne!(first, second);
        assert_eq!(code(&tokens, &first, at(309)), 0);
        assert_eq!(code(&tokens, &first, at(310)), 40001);
        assert_eq!(code(&tokens, &second, at(310)), 0);
        assert_eq!(code(&tokens, &stable, at(310)), 0, "the lines are isolated");
    }

    #[test]
    fn bad_tokens_are_told_apart() {
        let mut tokens = Tokens::default();
        let random = &mut rand::rng();
        let (token, _) = tokens.stable(false, at(0), random).expect("a token");
        assert_eq!(tokens.check(None, at(0)).expect_err("none").errcode, 41001);
        assert_eq!(code(&tokens, "short", at(0)), 40014);
        assert_eq!(code(&tokens, &"x".repeat(136), at(0)), 40001);
        tokens.revoke(at(1));
        assert_eq!(code(&tokens, &token, at(1)), 40001);
        let (token, _) = tokens.stable(false, at(1), random).expect("a token");
        tokens.expire(at(2));
        assert_eq!(code(&tokens, &token, at(2)), 42001);
        assert_eq!(tokens.left(at(2)), None);
    }
}
