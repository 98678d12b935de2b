-- Words again, with the column in which each is found.
CREATE VIRTUAL TABLE words_of_columns USING fts5(
    about, names, tokenize = 'ascii', detail = column, columnsize = 0
);
INSERT INTO words_of_columns (rowid, about, names) SELECT rowid, about, names FROM words;
DROP TABLE words;
ALTER TABLE words_of_columns RENAME TO words;
