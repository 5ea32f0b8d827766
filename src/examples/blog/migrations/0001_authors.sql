-- Whoever logs in first becomes the author; there is one.
CREATE TABLE authors (
	id integer PRIMARY KEY,
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
	password_hash text NOT NULL
);
