-- What is derived from the log, so that a person who reads it need not wait: where each text occurs, and how many there
-- were of what. All of it can be made again from the log; no text and no openid is kept here.
-- Times are milliseconds since 1970; hours are hours since 1970.

-- How far the log is taken in: every row up to (time, id), the last of them under the number `seq`.
create table progress (
    one  integer primary key check (one = 1),
    seq  integer not null,
    time integer not null,
    id   integer not null
) strict;

insert into progress values (1, 0, -9223372036854775808, -9223372036854775808);

-- The rows of the log in its order, numbered without gaps, so that lists of them stay short.
create table docs (
    seq  integer primary key,
    id   integer not null,
    time integer not null
) strict;

-- One full-text table (`grams_<part>`) for each 30 days, so that old ones can be dropped whole.
create table parts (
    part  integer primary key,               -- time / 30 days
    first integer not null                   -- the first `seq`
) strict;

-- Rows that are a webhook's question: they may yet become a reply, also long after they failed. Their text then takes the
-- place of the question's, which only goes by the very tokens that were put in.
create table questions (
    seq    integer primary key,
    id     integer not null,
    tokens text    not null
) strict;

create table hours (
    hour  integer not null,
    app   text    not null,
    kind  text    not null check (kind in ('message', 'event', 'reply')),
    status text   not null,                  -- of a reply: nothing, for it may change yet
    count integer not null,
    primary key (hour, app, kind, status)
) strict, without rowid;

create table rule_hours (
    hour     integer not null,
    app      text    not null,
    rule     text    not null,
    hits     integer not null,
    silent   integer not null,
    observed integer not null,
    last     integer not null,
    primary key (hour, app, rule)
) strict, without rowid;

-- The same by days of 24 hours since 1970, so that a month is summed up at once.
create table rule_days (
    day      integer not null,
    app      text    not null,
    rule     text    not null,
    hits     integer not null,
    silent   integer not null,
    observed integer not null,
    last     integer not null,
    primary key (day, app, rule)
) strict, without rowid;

create table latencies (
    hour   integer primary key,
    counts text    not null                   -- JSON: how many answers fell into each of the histogram's ranges
) strict;
