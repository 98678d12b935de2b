-- The distinct words, for suggestions when a query has a typo: a view into the index `words`.

CREATE VIRTUAL TABLE word_list USING fts5vocab(words, row);
