-- The distinct words for corrections (spelling.py), in a table of their own: listing them from the index would read all of it.
-- Words stay when versions are removed.

CREATE TABLE vocabulary (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE word_list USING fts5vocab(words, row);
INSERT INTO vocabulary SELECT term FROM word_list WHERE term NOT GLOB '*[^a-z]*' AND length(term) BETWEEN 3 AND 40;
DROP TABLE word_list;
