-- Users' newest states, in the order in which they came.
--
-- `contacts` is ordered by openid, so a row of it that is written at every message costs the WAL a page or two each:
-- more than the message itself. A message therefore appends the state that it leaves its user in; now and then these are
-- folded into `contacts` in the order of its keys, many users a page. A user's newest row here wins over the one in
-- `contacts`, which may be older or not there yet.

create table contact_journal (
    seq           integer primary key,
    app           text    not null,
    openid        text    not null,
    first_message integer,
    last_message  integer,
    misses        integer not null,
    state         text,
    state_until   integer,
    muted_until   integer,
    cooldowns     text,
    ledger_left   integer not null,
    ledger_until  integer,
    latest        integer
) strict;
