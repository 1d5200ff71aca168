//! The codes of the findings that loading rules can give. A code, once given out, keeps its meaning.

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
/// A name is given twice: to two rules of one app, or to two lists.
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

/// A rule waits for a dialog state that no rule sets.
pub(super) const STATE_NEVER_SET: &str = "W001";
/// A text longer than WeChat takes. No error, for WeChat publishes no number: 2048 bytes is what it was seen to refuse.
pub(super) const TEXT_TOO_LONG: &str = "W002";
/// A key that changes nothing where it stands.
pub(super) const NO_EFFECT: &str = "W003";
