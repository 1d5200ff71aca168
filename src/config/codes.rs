//! The codes of all findings about a config file. Stable: a code never changes its meaning.

use crate::diagnostic::Code;

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $code:literal $($weight:ident)?;)*) => {
        $(#[doc = $doc] pub(super) const $name: &str = $code;)*

        /// Every code, with its title.
        pub const ALL: &[Code] = &[$(Code::new($code, $doc)$(.$weight())?),*];
    };
}

codes! {
    /// The file is no TOML.
    SYNTAX = "C001";
    /// A key or table that wxreply does not know.
    UNKNOWN_KEY = "C002";
    /// A key that must be there is not, or is empty.
    MISSING = "C003";
    /// A value of the wrong type: a number where a text belongs.
    TYPE = "C004";
    /// Not an address to listen at.
    ADDRESS = "C005";
    /// Not a duration.
    DURATION = "C006";
    /// A number or size outside of what makes sense.
    RANGE = "C007";
    /// Not a time zone.
    ZONE = "C008";
    /// Not one of the words that are allowed.
    CHOICE = "C009";
    /// A secret that can't be read from where it is said to be.
    SECRET = "C010";
    /// Not an EncodingAESKey.
    AES_KEY = "C011";
    /// A name that an app can't have.
    APP_NAME = "C012";
    /// Two apps of one name.
    APP_TWICE = "C013";
    /// Something that does not look like an AppID.
    APP_ID = "C014" warning;
    /// Something that WeChat takes for no Token.
    TOKEN = "C015" warning;
    /// Not a URL.
    URL = "C016";
    /// The admin listener would be open to others.
    ADMIN_OPEN = "C017";
    /// Both listeners have the same address.
    SAME_ADDRESS = "C018";
    /// No `[[app]]`.
    NO_APP = "C019";
    /// Not the address of a SQLite file.
    DATABASE = "C020";
    /// Plain mode, in which nothing vouches for what a push says.
    PLAIN_MODE = "C021" warning;
    /// Where the rules should be, there is none.
    NO_RULE = "C022" warning;
    /// A name that a user of the console can't have.
    USER_NAME = "C023";
    /// Two users of one name.
    USER_TWICE = "C024";
    /// Not the hash of a password.
    PASSWORD_HASH = "C025";
    /// A `token_key` that could be guessed, or not be sent.
    TOKEN_KEY = "C026";
    /// Passwords would cross the network in clear.
    ADMIN_CLEAR = "C027" warning;
    /// A secret that questions to webhooks can't be signed with.
    WEBHOOK_SECRET = "C040";
}
