-- Most replies are the only one that waits for their user. `messages_by_queue` is ordered by user, so an entry of it is
-- another page for the WAL; and what would it tell of a queue of one? It has those alone of users who wait for more.

-- Of a reply that was queued when no other waited for its user, and as long as it is queued none does: 1. Its user's newest
-- row names it, by which whoever queues another one finds it and clears this.
alter table messages add column alone integer;
alter table contacts add column alone integer;
alter table contact_journal add column alone integer;

drop index messages_by_queue;
create index messages_by_queue on messages (app, openid, turn, id) where status = 'queued' and alone is null;
