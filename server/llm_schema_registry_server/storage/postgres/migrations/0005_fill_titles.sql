-- Titles of the existing versions. A step of its own, so that reads and registrations go on meanwhile.
-- Servers that know step 3 go on working.

UPDATE search SET title = title_of(v.subject, v.about->'tags') FROM versions v
WHERE v.id = search.version AND search.title = '';
