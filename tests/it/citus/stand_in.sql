-- No Citus: only its books. Functions of the same names and arguments refuse what Citus was seen to refuse (keys that are
-- still there, unique indexes without the tenant, a table that is distributed already) and note the rest; no row moves.
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (90001, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.2-1');
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE pg_catalog.pg_dist_node (groupid int, shouldhaveshards boolean, isactive boolean, noderole text);
INSERT INTO pg_dist_node VALUES (0, false, true, 'primary'), (1, true, true, 'primary');
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", repmodel "char", shards int);
CREATE TABLE pg_catalog.pg_dist_object (classid oid, objid oid PRIMARY KEY, force_delegation boolean);
GRANT SELECT ON pg_dist_local_group, pg_dist_node, pg_dist_partition, pg_dist_object TO PUBLIC;

CREATE FUNCTION pg_catalog.stand_in_takes(taken regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND taken IN (conrelid, confrelid)) THEN
        RAISE EXCEPTION 'the stand-in refuses %: it has foreign keys', taken;
    END IF;
    IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = taken) THEN
        RAISE EXCEPTION 'the stand-in refuses %: it is distributed', taken;
    END IF;
END
$$;

CREATE FUNCTION pg_catalog.create_reference_table(table_name regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM stand_in_takes(table_name);
    INSERT INTO pg_dist_partition VALUES (table_name, 'n', 't', 1);
END
$$;

CREATE FUNCTION pg_catalog.create_distributed_table(
        table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
        colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
    ) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM stand_in_takes(table_name);
    IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = table_name AND i.indisunique
               AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = table_name AND a.attname = distribution_column
                               AND a.attnum = ANY (i.indkey))) THEN
        RAISE EXCEPTION 'the stand-in refuses %: a unique index is without %', table_name, distribution_column;
    END IF;
    IF colocate_with <> 'none' THEN
        SELECT shards INTO STRICT shard_count FROM pg_dist_partition
        WHERE logicalrelid = colocate_with::regclass AND partmethod = 'h';
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name, 'h', 's', shard_count);
END
$$;

CREATE FUNCTION pg_catalog.create_distributed_function(
        function_name regprocedure, distribution_arg_name text DEFAULT NULL, colocate_with text DEFAULT 'default',
        force_delegation boolean DEFAULT NULL
    ) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF distribution_arg_name IS NOT NULL THEN
        PERFORM FROM pg_proc WHERE oid = function_name AND distribution_arg_name = ANY (proargnames);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the stand-in refuses %: no argument %', function_name, distribution_arg_name;
        END IF;
        PERFORM FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass AND partmethod = 'h';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the stand-in refuses %: % is not distributed', function_name, colocate_with;
        END IF;
    END IF;
    INSERT INTO pg_dist_object VALUES ('pg_proc'::regclass, function_name, force_delegation);
END
$$;

-- One placement of each table: the table itself.
CREATE FUNCTION pg_catalog.run_command_on_placements(
        table_name regclass, command text, OUT nodename text, OUT nodeport int, OUT shardid bigint, OUT success boolean,
        OUT result text
    ) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    nodename := 'stand-in'; nodeport := 5432; shardid := table_name::oid; success := true;
    EXECUTE replace(command, '%s', table_name::text) INTO result;
    RETURN NEXT;
END
$$;
GRANT SET ON PARAMETER citus.propagate_set_commands TO dealgraph_owner;
