-- The role of the demo's user with SQL: reads the sample data, writes into its own schema.

CREATE ROLE analyst LOGIN;
CREATE SCHEMA analyst AUTHORIZATION analyst; -- the first one in its search path
GRANT SELECT ON package, reading TO analyst;

CREATE TABLE analyst.alert (job text NOT NULL, message text NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE analyst.alert OWNER TO analyst;
