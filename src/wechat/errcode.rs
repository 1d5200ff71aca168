//! WeChat's return codes: what each means, and what to do about it.

/// What a return code asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrcodeClass {
    /// The token is not valid: renew it once and try again.
    Token,
    /// WeChat is busy: back off and try again.
    Busy,
    /// Too many calls in this minute: try again in the next.
    RateLimit,
    /// The day's calls are used up.
    DailyLimit,
    /// The media_id is gone: upload the file again, once.
    Media,
    /// The user's reply quota is used up, or its window closed.
    Quota,
    /// The owner must act in WeChat's backend.
    Owner,
    /// It will never work.
    Permanent,
}

use ErrcodeClass::{Busy, DailyLimit, Media, Owner, Permanent, Quota, RateLimit, Token};

/// The class and the meaning of a return code, in English. Unknown codes are [`ErrcodeClass::Permanent`].
#[must_use]
pub fn errcode(code: i64) -> (ErrcodeClass, &'static str) {
    if let Ok(at) = TABLE.binary_search_by_key(&code, |(code, ..)| *code) {
        let (_, class, meaning) = TABLE[at];
        return (class, meaning);
    }
    let meaning = match code {
        61450..=61499 => "the customer-service account call was refused; see errmsg",
        65400..=65499 => "the customer-service system refused the call; see errmsg",
        _ => "a code that wxreply does not know; look it up in WeChat's documentation, errmsg may say more",
    };
    (Permanent, meaning)
}

/// Every code that the calls we make are known to give, in ascending order: token, stable_token, custom/send,
/// custom/typing, media/upload. Sources: WeChat's pages of these calls, and its list of global return codes.
#[rustfmt::skip]
const TABLE: &[(i64, ErrcodeClass, &str)] = &[
    (-1,    Busy,       "WeChat is busy; the call is tried again later"),
    (0,     Permanent,  "success"),
    (40001, Token,      "the access_token is not the latest, or of another account; when a token was being fetched: the AppSecret is wrong, copy it again from WeChat's backend"),
    (40002, Permanent,  "grant_type is wrong; this is a bug of wxreply"),
    (40003, Permanent,  "the openid is wrong or belongs to another account"),
    (40004, Permanent,  "the media type is not allowed"),
    (40005, Permanent,  "the file type is not allowed; use PNG, JPEG or GIF"),
    (40006, Permanent,  "the file is too large; keep pictures under 2 MB"),
    (40007, Media,      "the media_id is unknown or expired; the file is uploaded again"),
    (40008, Permanent,  "the message type is wrong"),
    (40009, Permanent,  "the picture is too large; keep it under 2 MB"),
    (40010, Permanent,  "the voice file is too large"),
    (40011, Permanent,  "the video is too large"),
    (40012, Permanent,  "the thumbnail is too large; keep it under 64 KB"),
    (40013, Owner,      "the AppID is wrong; compare app_id with WeChat's backend"),
    (40014, Token,      "the access_token is malformed or not valid"),
    (40033, Permanent,  "the request holds \\uxxxx escapes; this is a bug of wxreply"),
    (40035, Permanent,  "a parameter is wrong; errmsg may name it"),
    (40118, Permanent,  "the media_id has a wrong length; check the media_id in the rule"),
    (40121, Permanent,  "the media_id is of another type than the reply; check the media_id in the rule"),
    (40125, Owner,      "the AppSecret is wrong; copy it again from WeChat's backend"),
    (40137, Permanent,  "the picture's format is not allowed; use PNG, JPEG or GIF"),
    (40155, Permanent,  "the text links to another Official Account's home page, which is not allowed"),
    (40164, Owner,      "this machine's IP address is not in the allow-list; add the address that errmsg names in WeChat's backend"),
    (40165, Permanent,  "the mini program has no such page; check page_path in the rule"),
    (40166, Permanent,  "the mini program's AppID is wrong, or it is not linked to this account; check app_id in the rule"),
    (40200, Permanent,  "this kind of account may not make this call"),
    (40243, Owner,      "the owner has frozen the AppSecret; unfreeze or reset it in WeChat's backend"),
    (41001, Permanent,  "the access_token is missing; this is a bug of wxreply"),
    (41002, Owner,      "the AppID is missing; set app_id"),
    (41004, Owner,      "the AppSecret is missing; set app_secret"),
    (41005, Permanent,  "the file is missing in the upload; this is a bug of wxreply"),
    (41006, Permanent,  "the media_id is missing; check the media_id in the rule"),
    (42001, Token,      "the access_token has expired"),
    (42007, Permanent,  "the user changed their password, so authorisations that they gave are void"),
    (43002, Permanent,  "the call needs POST; this is a bug of wxreply, or a proxy changed the request"),
    (43003, Permanent,  "the call needs HTTPS; check api_base"),
    (43004, Permanent,  "the user does not follow the account"),
    (43005, Permanent,  "the user is no friend of the account"),
    (43019, Permanent,  "the user is on the account's blacklist"),
    (44001, Permanent,  "the file is empty"),
    (44002, Permanent,  "the request's body is empty; this is a bug of wxreply, or a proxy changed the request"),
    (44003, Permanent,  "the article is empty"),
    (44004, Permanent,  "the text is empty; check what the rule's template gives"),
    (45001, Permanent,  "the file is too large; keep pictures under 2 MB"),
    (45002, Permanent,  "the text is too long; WeChat takes 2048 bytes"),
    (45003, Permanent,  "the title is too long"),
    (45004, Permanent,  "the description is too long"),
    (45005, Permanent,  "the link is too long"),
    (45006, Permanent,  "the picture's link is too long"),
    (45007, Permanent,  "the voice message is too long"),
    (45008, Permanent,  "too many articles; one is allowed"),
    (45009, DailyLimit, "the calls that WeChat allows a day are used up; wait for tomorrow, or clear the quota in WeChat's backend"),
    (45011, RateLimit,  "too many calls in this minute; the call is tried again in the next"),
    (45015, Quota,      "the time in which WeChat takes replies is over, or the user unsubscribed; the user must write first"),
    (45047, Quota,      "WeChat takes no more replies to the user's last action; the user must write first"),
    (45072, Permanent,  "the typing command is wrong; this is a bug of wxreply"),
    (45080, Permanent,  "no typing state: nothing was exchanged with the user in the last 30 s"),
    (45081, Permanent,  "the typing state is already shown"),
    (45162, Permanent,  "this kind of account can't send this kind of message"),
    (45166, Permanent,  "the content is not allowed"),
    (46001, Media,      "the media does not exist any more; the file is uploaded again"),
    (46004, Permanent,  "the user does not exist"),
    (47001, Permanent,  "WeChat could not read the request, or a parameter is missing; this is a bug of wxreply"),
    (48001, Owner,      "the account may not make this call; verify the account or switch the feature on in WeChat's backend"),
    (48002, Permanent,  "the user refuses messages of this account"),
    (48003, Owner,      "the account has not accepted the terms of this feature; accept them in WeChat's backend"),
    (48004, Owner,      "WeChat has banned the account from this call; WeChat's backend says why"),
    (48006, Permanent,  "the quota can't be cleared again this month"),
    (48008, Permanent,  "the account may not send this kind of message"),
    (50001, Permanent,  "the user has not authorised this call"),
    (50002, Owner,      "WeChat has restricted the account; WeChat's backend says why"),
    (50004, Owner,      "the account may not fetch tokens; ask WeChat's support"),
    (50005, Permanent,  "the user does not follow the account"),
    (50007, Owner,      "WeChat has frozen the account; WeChat's backend says why"),
    (61004, Owner,      "this machine's IP address is not allowed; add it to the allow-list in WeChat's backend"),
    (61450, Permanent,  "the customer-service system failed"),
    (61451, Permanent,  "a parameter of the customer-service call is wrong"),
    (61452, Permanent,  "the customer-service account (kf_account) is wrong"),
    (61453, Permanent,  "the customer-service account exists already"),
    (61454, Permanent,  "the customer-service account's name is too long"),
    (61455, Permanent,  "the customer-service account's name has characters that are not allowed"),
    (61456, Permanent,  "too many customer-service accounts"),
    (61457, Permanent,  "the customer-service account's picture has a wrong format"),
    (65400, Owner,      "the customer-service feature is not switched on; switch it on in WeChat's backend"),
    (65401, Permanent,  "the customer-service agent does not exist; check the account that the rule transfers to"),
    (65413, Permanent,  "the user has no open session with customer service"),
    (65414, Permanent,  "another agent serves the user"),
    (70000, Permanent,  "blocked for the protection of minors"),
    (89503, Owner,      "the account's administrator must confirm this machine's IP address; WeChat has asked them"),
    (89506, Owner,      "the administrator refused this machine's IP address; WeChat asks again after 24 hours"),
    (89507, Owner,      "the administrator refused this machine's IP address; WeChat asks again after an hour"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_ascending_order() {
        assert!(TABLE.is_sorted_by_key(|(code, ..)| *code));
        assert!(TABLE.windows(2).all(|pair| pair[0].0 != pair[1].0));
    }

    #[test]
    fn every_code_is_told_in_chinese_too() {
        let codes = TABLE.iter().map(|(code, ..)| *code);
        assert!(codes.eq(super::super::errcode_zh::codes()));
    }

    #[test]
    fn codes_ask_for_what_they_must() {
        for (code, class) in [
            (-1, Busy),
            (40001, Token),
            (40014, Token),
            (42001, Token),
            (41001, Permanent),
            (42007, Permanent),
            (40007, Media),
            (46001, Media),
            (45009, DailyLimit),
            (45011, RateLimit),
            (45015, Quota),
            (45047, Quota),
            (40164, Owner),
            (40125, Owner),
            (45002, Permanent),
            (65410, Permanent),
            (123_456, Permanent),
            (i64::MIN, Permanent),
        ] {
            assert_eq!(errcode(code).0, class, "{code}");
        }
    }

    #[test]
    fn meanings_stand_in_a_sentence() {
        for (code, _, meaning) in TABLE {
            assert!(
                !meaning.is_empty() && !meaning.ends_with('.'),
                "{code}: {meaning}"
            );
        }
    }
}
