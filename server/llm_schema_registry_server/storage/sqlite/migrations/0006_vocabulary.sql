-- The distinct words that take part in spelling (spelling.py), in a table of their own: the index has to be read as a whole to
-- list them. Words stay when versions go.

CREATE TABLE vocabulary (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE word_list USING fts5vocab(words, row);
INSERT INTO vocabulary SELECT term FROM word_list WHERE term NOT GLOB '*[^a-z]*' AND length(term) BETWEEN 3 AND 40;
DROP TABLE word_list;
