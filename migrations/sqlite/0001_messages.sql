-- The message log, which is the outbox too; what is known of each user; what WeChat lent us.
-- Times are milliseconds since 1970, by the daemon's clock, unless a comment says otherwise.

create table messages (
    -- A MessageId. Deduplication is this very key (and a comparison of app, openid and dedup_key), so that taking
    -- a message in writes no second b-tree for it; a reply has its message's key plus its slot and lies beside it.
    id         integer primary key,
    app        text    not null,
    openid     text    not null,
    direction  text    not null check (direction in ('in', 'out')),
    time       integer not null,
    msg_type   text    not null,
    event      text,
    content    text,
    fields     text    not null,              -- JSON: all fields of a push; the whole reply
    rule       text,
    rule_set   text,
    status     text    not null,

    -- Of a push alone.
    dedup_key  text,
    answer     text,                          -- JSON; null is `success`
    observed   text,                          -- JSON: the `observe` rules that would have answered; null is none
    nonce      integer,                       -- a hash of the push's (timestamp, nonce) pair
    previous   integer,                       -- the same user's message before this one

    -- Of a reply alone.
    due        integer,
    typing     integer,
    -- Microseconds since 1970, and never twice the same from one daemon: the order of a user's replies holds within
    -- a millisecond, and when the machine's clock is set back.
    queued_at  integer,
    -- When it is to go out, in the same measure: `queued_at` and the delay that its rule asks for. A user's replies
    -- go out in this order, so that one with a long delay holds up none that is wanted before it.
    turn       integer,
    lease      integer,                       -- when the claim ends; null when nobody holds the reply
    attempts   integer not null default 0,
    uncertain  integer not null default 0,    -- attempts that nobody knows the end of
    errcode    integer,
    error      text,
    settled    integer,

    check (case direction
           when 'in' then status in ('matched', 'unmatched', 'cooldown', 'muted', 'malformed') and dedup_key is not null
           else status in ('queued', 'sent', 'failed', 'dropped', 'uncertain') and due is not null and queued_at is not null
                and turn is not null
           end),
    check (lease is null or status = 'queued')
) strict;

-- The log is read by time. Rows come in nearly by time, so this tree grows at its end and costs little.
--
-- There is no index by user: it would be written all over at every message (one more page each to the WAL), for a
-- question that a person asks now and then. Instead `contacts.latest` and `messages.previous` make a list of each
-- user's messages, which costs eight bytes in rows that are written anyway.
create index messages_by_time on messages (time);

-- Only rows that wait are in these, so they stay small however long the log is.
create index messages_by_due on messages (due) where status = 'queued';
create index messages_by_queue on messages (app, openid, turn, id) where status = 'queued';
create index messages_by_lease on messages (lease) where lease is not null;
create index messages_typing on messages (due) where status = 'queued' and typing = 1;
create index messages_failed on messages (time) where status = 'failed';

create table contacts (
    app           text    not null,
    openid        text    not null,
    first_message integer,
    last_message  integer,
    misses        integer not null,
    state         text,
    state_until   integer,
    muted_until   integer,
    cooldowns     text,                       -- JSON: rule to time; null is none
    ledger_left   integer not null,
    ledger_until  integer,
    latest        integer,                    -- the user's last message: where the list of `messages.previous` begins
    primary key (app, openid)
) strict, without rowid;

create table app_cooldowns (
    app   text    not null,
    rule  text    not null,
    until integer not null,
    primary key (app, rule)
) strict, without rowid;

create table tokens (
    app     text    not null primary key,
    token   text    not null,
    expires integer not null,
    fetched integer not null,
    forced  text    not null                  -- JSON: times of the forced renewals
) strict, without rowid;

create table media (
    app      text    not null,
    digest   text    not null,
    media_id text    not null,
    expires  integer not null,
    primary key (app, digest)
) strict, without rowid;
