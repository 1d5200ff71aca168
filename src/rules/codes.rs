//! The codes of the findings that loading rules can give. A code, once given out, keeps its meaning.
//!
//! The first line of a code's documentation is its title, which its page (`docs/findings.md`) bears too.

use crate::diagnostic::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $vis:vis const $name:ident: &str = $code:literal;)*) => {
        $($(#[doc = $doc])+ $vis const $name: &str = $code;)*

        /// Every code, with its title.
        pub const ALL: &[Code] = &[$(Code::new($code, concat!($($doc),+))),*];
    };
}

codes! {
/// The file is no TOML.
pub(super) const SYNTAX: &str = "E001";
/// A key that the rule language does not have.
pub(super) const UNKNOWN_KEY: &str = "E002";
/// A value of the wrong type: text where a number belongs.
pub(super) const WRONG_TYPE: &str = "E003";
/// A value of the right type that makes no sense there.
pub(super) const WRONG_VALUE: &str = "E004";
/// A key that must be there is not.
pub(super) const MISSING_KEY: &str = "E005";
/// A name is given twice: to rules of one app, lists, calendars or tests.
pub(super) const DUPLICATE_NAME: &str = "E006";
/// A text or a list is empty where something must stand.
pub(super) const EMPTY: &str = "E007";
/// Nothing is left of a keyword once it is normalised, so it would be in every message.
pub(super) const EMPTY_KEYWORD: &str = "E008";
/// `"@name"`, but `[lists]` has no such list.
pub(super) const UNKNOWN_LIST: &str = "E009";
/// A regular expression that does not compile.
pub(super) const BAD_REGEX: &str = "E010";
/// A length of time that can't be read, or is out of bounds.
pub(super) const BAD_DURATION: &str = "E011";
/// Hours, days or dates that can't be read.
pub(super) const BAD_TIME: &str = "E012";
/// An app that the config does not have.
pub(super) const UNKNOWN_APP: &str = "E013";
/// A template that does not compile.
pub(super) const BAD_TEMPLATE: &str = "E014";
/// A template variable that nothing gives a value.
pub(super) const UNKNOWN_VARIABLE: &str = "E015";
/// A media file that is not there.
pub(super) const MISSING_MEDIA: &str = "E016";
/// More replies than one message can have.
pub(super) const TOO_MANY_REPLIES: &str = "E017";
/// `transfer` in a rule that answers events, which WeChat does not hand over.
pub(super) const TRANSFER_ON_EVENT: &str = "E018";
/// Conditions that can never hold together.
pub(super) const CONTRADICTION: &str = "E019";
/// The rules do not fit into one matcher.
pub(super) const TOO_LARGE: &str = "E020";
/// A kind of reply that an app of the rule can't send.
pub(super) const WRONG_KIND: &str = "E021";
/// A media file that is larger than WeChat takes.
pub(super) const MEDIA_TOO_LARGE: &str = "E022";
/// A media file that is no picture that WeChat takes.
pub(super) const NO_PICTURE: &str = "E023";
/// A test (`[[test]]`) of the rules fails.
pub(crate) const TEST_FAILED: &str = "E030";
/// A test that expects nothing, and so could never fail.
pub(super) const NOTHING_EXPECTED: &str = "E031";
/// A test speaks of a rule or a dialog state that is not there, or of a rule that never answers it.
pub(super) const TEST_NAMES_NOTHING: &str = "E032";
/// Parts of a test that do not go together.
pub(super) const TEST_CONFLICT: &str = "E033";
/// A point in time of a test that can't be read, or lies before the one before it.
pub(super) const TEST_TIME: &str = "E034";
/// A `webhook` that is no web address.
pub(super) const BAD_WEBHOOK: &str = "E040";
/// A `webhook`, but the config has no secret to sign its requests with.
pub(super) const NO_WEBHOOK_SECRET: &str = "E041";
/// `when.time` names a calendar that no file has.
pub(super) const UNKNOWN_CALENDAR: &str = "E042";
/// A calendar says of one day that it is open and that it is closed.
pub(super) const CALENDAR_CLASH: &str = "E043";

/// A rule waits for a dialog state that no rule sets.
pub(super) const STATE_NEVER_SET: &str = "W001";
/// A text longer than WeChat takes. No error, for WeChat publishes no number: 2048 bytes is what it was seen to refuse.
pub(super) const TEXT_TOO_LONG: &str = "W002";
/// A key that changes nothing where it stands.
pub(super) const NO_EFFECT: &str = "W003";
/// A keyword of one very common character.
pub(super) const COMMON_KEYWORD: &str = "W010";
/// A keyword that holds a separator: probably several keywords in one.
pub(super) const SEPARATOR: &str = "W011";
/// A keyword that stands twice in one rule or list.
pub(super) const KEYWORD_TWICE: &str = "W012";
/// A keyword that looks like a regular expression.
pub(super) const REGEX_AS_KEYWORD: &str = "W013";
/// A rule that does nothing.
pub(super) const DOES_NOTHING: &str = "W014";
/// A picture whose name says another format than its content.
pub(super) const WRONG_EXTENSION: &str = "W015";
/// More replies to one message than WeChat lets through.
pub(super) const OVER_QUOTA: &str = "W016";
/// A hand-over to an agent at any hour.
pub(super) const TRANSFER_AT_ANY_HOUR: &str = "W017";
/// No rule answers what no other rule knows.
pub(super) const NO_DEFAULT_RULE: &str = "W018";
/// An allow comment that says no reason.
pub(super) const ALLOW_WITHOUT_REASON: &str = "W019";
/// An allow comment that can't be followed.
pub(super) const BAD_ALLOW: &str = "W020";
/// An allow comment that silences nothing.
pub(super) const UNUSED_ALLOW: &str = "W021";
/// A hand-over outside whose hours nobody knows what is asked.
pub(super) const NOBODY_OFF_HOURS: &str = "W022";
/// A rule that can never answer, because rules above it always take the message first.
pub(super) const HIDDEN: &str = "W030";
/// A calendar that rules ask ends soon, or has ended.
pub(super) const CALENDAR_ENDS: &str = "W040";
/// A `webhook` whose messages travel unencrypted to another machine.
pub(super) const CLEAR_WEBHOOK: &str = "W041";
/// A `webhook` without `reply`: when it fails, the customer gets no answer.
pub(super) const WEBHOOK_ALONE: &str = "W042";
}
