-- The check on a row's status in words of which SQLite has to look at few: it goes through `or` and `and` from the left and stops
-- as soon as it knows, but inside `case` it compares with every status there is. What is allowed is the same; the check on the
-- direction, which this one implies, is gone.
--
-- What is stored does not change; see 0008.

pragma writable_schema = on;

update sqlite_schema
set sql = replace(replace(replace(replace(sql,
        ' check (direction in (''in'', ''out''))', ''),
        'check (case direction
           when ''in'' then (status = ''matched''', 'check (direction = ''in'' and (status = ''matched'''),
        'and dedup_key is not null
           else (status = ''queued''', 'and dedup_key is not null
           or direction = ''out'' and (status = ''queued'''),
        'and turn is not null
           end)', 'and turn is not null)')
where type = 'table' and name = 'messages';

pragma writable_schema = reset;

-- Whoever has the database open learns by this that its schema has changed.
create table schema_changed (one integer);
drop table schema_changed;
