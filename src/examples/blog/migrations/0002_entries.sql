CREATE TABLE entries (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	author_id integer NOT NULL REFERENCES authors,
	slug text NOT NULL UNIQUE,
	title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
	body text NOT NULL CHECK (length(body) BETWEEN 1 AND 100000),
	published timestamptz NOT NULL DEFAULT now(),
	updated timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX entries_published ON entries (published DESC, id DESC);
