-- Every rule set that was ever live, and when.

create table rule_sets (
    version text    not null primary key,
    body    text    not null,                 -- JSON: the files, and what they were loaded with
    stored  integer not null
) strict;

-- In the order of `id`: the clock may be set back.
create table rule_set_swaps (
    id      integer primary key,
    version text    not null references rule_sets (version),
    live    integer not null                  -- since when it was in force
) strict;

create index rule_set_swaps_by_version on rule_set_swaps (version);
