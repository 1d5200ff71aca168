-- The same conditions, in words that SQLite compares one by one. For `in` with more than two words it fills a table of its
-- own, each time that the condition is looked at: for each row that was written, two such tables, which took longer than
-- the row.
--
-- What is stored does not change, so neither table nor index has to be built anew: that is what SQLite's page on ALTER TABLE
-- ("Making Other Kinds Of Table Schema Changes") has this way for.

pragma writable_schema = on;

update sqlite_schema
set sql = replace(replace(sql,
        'status in (''matched'', ''unmatched'', ''cooldown'', ''muted'', ''malformed'')',
        '(status = ''matched'' or status = ''unmatched'' or status = ''cooldown'' or status = ''muted'' or status = ''malformed'')'),
        'status in (''queued'', ''sent'', ''failed'', ''dropped'', ''uncertain'')',
        '(status = ''queued'' or status = ''sent'' or status = ''failed'' or status = ''dropped'' or status = ''uncertain'')')
where type = 'table' and name = 'messages';

update sqlite_schema
set sql = replace(sql,
        'status in (''failed'', ''dropped'', ''uncertain'')',
        '(status = ''failed'' or status = ''dropped'' or status = ''uncertain'')')
where type = 'index' and name = 'messages_unsent';

pragma writable_schema = reset;

-- Whoever has the database open learns by this that its schema has changed.
create table schema_changed (one integer);
drop table schema_changed;
