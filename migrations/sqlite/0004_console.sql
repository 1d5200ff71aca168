-- What people do by hand, and the pictures that customers sent.

-- Of a reply that a person wrote: the person's name.
alter table messages add column author text;

-- Replies that did not reach the customer are few, so they are listed and counted here rather than in the whole log.
drop index messages_failed;
create index messages_unsent on messages (status, time, app) where status in ('failed', 'dropped', 'uncertain');

-- Pictures that WeChat keeps for three days only.
create index messages_pictures on messages (time) where direction = 'in' and msg_type = 'image';

create table pictures (
    id       integer primary key,             -- that of the message
    app      text    not null,
    media_id text    not null,                -- WeChat's name for it; empty when the push had none
    status   text    not null check (status in ('waiting', 'kept', 'lost')),
    attempts integer not null,
    due      integer,                         -- when to try (again); null when it is kept or lost
    mime     text,
    error    text,                            -- why it was not fetched yet, or is lost
    check ((status = 'waiting') = (due is not null)),
    check ((status = 'kept') = (mime is not null))
) strict;

-- In parts, so that no commit has to write a whole picture and nobody's push waits for it.
create table picture_parts (
    picture integer not null,
    part    integer not null,
    bytes   blob    not null,
    primary key (picture, part)
) strict;

create index pictures_by_due on pictures (due) where status = 'waiting';

-- Who is signed in. The cookie's value itself is known to the browser alone.
create table sessions (
    digest  blob    not null primary key,     -- SHA-256 of the cookie's value
    user    text    not null,
    created integer not null,
    expires integer not null
) strict, without rowid;

-- Who did what by hand.
create table audit (
    id      integer primary key,
    time    integer not null,
    user    text    not null,
    action  text    not null,                 -- a word such as `reply`, `mute`, `rules.save`
    subject text    not null,                 -- what it was done to: an openid, a file, a message's id
    detail  text    not null                  -- JSON
) strict;

create index audit_by_time on audit (time);

-- Texts that agents use again and again.
create table snippets (
    name text not null primary key,
    text text not null
) strict, without rowid;
