-- A session ends when its user's password changes. Who is signed in now does so once more.
delete from sessions;
alter table sessions add column password blob not null default x''; -- a digest of the password's hash in the config

-- How many pictures there are of each kind is counted whenever somebody looks at the system's page.
create index pictures_done on pictures (status) where status in ('kept', 'lost');
