"""`sql`: attempts to do more than to read the tables that are listed. None gets through."""

from __future__ import annotations

import logging

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import RuleError
from mcpobs.policy.rules import statement
from mcpobs.policy.rules.statement import MAX_CACHED, Statement
from tests.policy.rules.made import call, condition, holds

TABLES = ["orders", "customers", "sales.items"]
UNSAFE = {
    "postgres": [
        # other statements
        "delete from orders",
        "update orders set total = 0",
        "insert into orders values (1)",
        "drop table orders",
        "truncate orders",
        "alter table orders add x int",
        "create table x as select * from orders",
        "grant all on orders to public",
        "copy orders to '/tmp/x'",
        "copy orders from program 'id'",
        "vacuum",
        "call do_it()",
        "do $$ begin delete from orders; end $$",
        "execute q",
        "prepare q as delete from orders",
        "explain analyze delete from orders",
        "set role admin",
        "show all",
        "listen x",
        "lock table orders",
        "merge into orders using customers on true when matched then delete",
        "refresh materialized view v",
        "begin",
        "",
        ";",
        "   -- nothing",
        # several of them
        "select 1; drop table orders",
        "select 1;select 2",
        "select * from orders; --\ndelete from orders",
        # a change inside a query
        "with d as (delete from orders returning *) select * from d",
        "with u as (update orders set total = 0 returning *) select * from u",
        "with i as (insert into orders values (1) returning *) select * from i",
        "select * into copied from orders",
        "select * into temp copied from orders",
        "select * from orders for update",
        "select * from orders for share",
        # functions
        "select pg_read_file('/etc/passwd')",
        "select pg_catalog.pg_read_file('/etc/passwd')",
        "select PG_READ_FILE('/etc/passwd')",
        'select "pg_read_file"(\'/etc/passwd\')',
        "select lo_import('/etc/passwd')",
        "select pg_sleep(100)",
        "select set_config('role', 'admin', false)",
        "select nextval('s')",
        "select setval('s', 1)",
        "select dblink_exec('x', 'drop table orders')",
        "select * from dblink('x', 'select 1') as t(a int)",
        "select pg_terminate_backend(1)",
        "select query_to_xml('select * from secrets', true, true, '')",
        "select current_setting('x')",
        "select pg_ls_dir('.')",
        "select * from pg_ls_dir('.')",
        "select * from generate_series(1, 100000000000)",
        "select repeat('x', 1000000000)",
        "select lpad('x', 1000000000)",
        "select my.count(total) from orders",
        "select * from orders where pg_sleep(10) is null",
        "select count(*) filter (where pg_sleep(1) is null) from orders",
        "select case when true then pg_sleep(1) end",
        "select * from orders order by pg_sleep(1)",
        "select * from orders limit (select pg_sleep(1)::text::int)",
        "select current_user",
        "select version()",
        # other tables
        "select * from secrets",
        "select * from orders, secrets",
        "select * from orders join secrets on true",
        "select * from orders where id in (select id from secrets)",
        "select (select password from secrets limit 1) from orders",
        "select * from orders union select * from secrets",
        "select * from orders union all (select * from (select * from secrets) x)",
        "select exists(select 1 from secrets)",
        "with a as (select * from secrets) select * from a",
        "with orders as (select * from secrets) select * from orders",
        "with secrets as (select * from secrets) select * from secrets",
        "with a as (with secrets as (select 1) select * from secrets) select * from secrets",
        "select * from (with secrets as (select 1) select 1) x, secrets",
        "with a as (select * from b), b as (select 1) select * from a",
        "select * from private.orders",
        "select * from other.private.orders",
        "select * from items",
        'select * from "Orders"',
        'select * from "orders "',
        "select * from pg_catalog.pg_shadow",
        "select * from information_schema.tables",
        "table secrets",
        "select * from orders, lateral (select * from secrets) s",
        "select * from only secrets",
        "select * from ONLY (secrets)",
        "select 'secrets'::regclass",
        "select cast(1 as evil)",
        # texts that databases take apart in different ways
        "select 'a\\' from orders; drop table orders -- '",
        "select E'\\'; drop table orders; --'",
        "select 1 /* /* */ ; drop table orders */",
        "select /*+ seqscan(orders) */ * from orders",
        "select '\x00' from orders",
        "select $$a$$; drop table orders",
        "select * from orders where name = 'x' \\gexec",
        "select " + "(" * 200 + "1" + ")" * 200,
        "select " + "not " * 900 + "true",
        "select " + "- " * 1500 + "1",
        "select '" + "x" * 5000 + "'",
        "select \ud800",
        "select * from orders where",
        "selec * from orders",
        "select * from orders -- \r union select * from secrets",
        "select * from orders -- \r ' \n union select * from secrets -- '",
        "select * from orders --\x0b union select * from secrets",
        "select * from orders --\x0c union select * from secrets",
        "select * from orders --\u2028 union select * from secrets",
        "select * from orders --\x85 union select * from secrets",
        "select * from orders\xa0union\xa0select * from secrets",
        "select 1 as a$$ , (select password from secrets) as b$$ from orders",
        "select a$x$ , (select password from secrets) , b$x$ from orders",
        "select {# x #} 1",
        "select {{ x }}",
        "select * from orders where id in (table secrets)",
        "select array(table secrets)",
        "select * from (table secrets) x",
        "select * from orders union table secrets",
        "select * from orders natural join secrets",
        "select * from rows from (pg_ls_dir('.')) as x",
        "select * from orders tablesample system(pg_sleep(1))",
        "select sum(total) over w from orders window w as (order by pg_sleep(1))",
        "select 1 operator(pg_catalog.+) 1",
        "select null::secrets",
    ],
    "mysql": [
        "select 1 /*!50000 ; drop table orders */",
        "select /*!50000 sleep(10) */",
        "select /*! 1 */ + /*!50000 (select password from secrets) */",
        "select * from orders where id = 1 --1 union select * from secrets",
        "select 'a\\' union select password from secrets -- '",
        'select "a\\" union select password from secrets -- "',
        "select * from orders into outfile '/tmp/x'",
        "select * into outfile '/tmp/x' from orders",
        "select 1 into dumpfile '/tmp/x'",
        "select 1 into @x",
        "select load_file('/etc/passwd')",
        "select sleep(10)",
        "select benchmark(100000000, md5('x'))",
        "select @x := 1",
        "select @@datadir",
        "select * from `secrets`",
        "select * from mysql.user",
        "select get_lock('a', 10)",
        "select extractvalue(1, concat(0x7e, version()))",
        "handler orders open",
        "load data infile '/etc/passwd' into table orders",
        "select * from orders procedure analyse()",
        "select /*M!100100 sleep(1) */ 1",
        "select * from orders # x\n union select * from secrets",
        "select /*+ SET_VAR(sql_mode='') */ * from orders",
        "do sleep(1)",
        "replace into orders values (1)",
        "select * from orders lock in share mode",
        "select * from orders union table secrets",
        "select {#\n x (select password from secrets) #}\n } from orders",
        "select {fn sleep(1)}",
        "select * from orders -- \r union select * from secrets",
        "select * from orders partition (p0)",
    ],
    "sqlite": [
        "attach database 'x' as y",
        "pragma writable_schema = 1",
        "select load_extension('x')",
        "select * from sqlite_master",
        "select writefile('x', 'y')",
        "select * from pragma_table_info('orders')",
        "vacuum into 'x'",
        "select randomblob(1000000000)",
        "select * from fts3_tokenizer('x')",
        "select * from orders where name in secrets",
        "select * from 'secrets'",
        "select * from [secrets]",
    ],
    "duckdb": [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        'select * from "/etc/passwd"',
        "select * from read_text('/etc/passwd')",
        "select * from glob('*')",
        "install httpfs",
        "load httpfs",
        "copy orders to 'x'",
        "select * from sqlite_scan('x', 'y')",
        "export database 'x'",
        "select getenv('HOME')",
        "select * from duckdb_secrets()",
        "summarize secrets",
        "describe secrets",
        "from secrets",
        "pivot secrets on a",
        "select columns('.*') from secrets",
        "select * from parquet_scan('x')",
        "select * from orders where id in (from secrets)",
        "select * from orders union (from secrets)",
        "with x as (from secrets) select * from x",
        "select * from query('select * from secrets')",
        "select * from orders positional join secrets",
        "select * from values orders",
        "select * from values",
    ],
    "tsql": [
        "exec xp_cmdshell 'dir'",
        "select * from openrowset('x', 'y', 'select 1')",
        "select * from orders; exec sp_who",
        "select 1 exec xp_cmdshell 'dir'",
        "select * into x from orders",
        "waitfor delay '0:0:10'",
        "select * from opendatasource('x', 'y').a.b.c",
        "select * from orders with (tablockx)",
        "declare @x int",
        "if 1=1 drop table orders",
        "select * from orders cross apply secrets",
        "select * from orders outer apply secrets",
        "select top (select count(*) from secrets) * from orders",
        "select * from orders for xml auto",
    ],
    "bigquery": ["select * from `other.orders`", "select * from `p`.private.orders", "call x.y()",
                 "select * from external_query('c', 'select 1')", "export data options() as select 1"],
    "snowflake": ["select * from @stage/file", "select system$abort_session(1)", "list @stage", "get @stage file:///tmp",
                  "select * from table(result_scan(last_query_id()))",
                  "select * from identifier('secrets')", "select * from orders at(offset => -60)",
                  "execute immediate 'drop table orders'"],
    "oracle": ["select utl_http.request('http://x') from dual", "begin null; end;",
               "select dbms_pipe.receive_message('a', 10) from orders", "select * from orders@remote",
               "select q'+'+', (select password from secrets), q'+'+' from orders", "select nq'[ ' ]' from orders"],
    "clickhouse": ["select * from url('http://x', csv)", "select * from file('/etc/passwd')", "system shutdown",
                   "select * from orders into outfile 'x'", "select * from remote('x', 'secrets')",
                   "select * from orders settings max_execution_time = 0", "select * from orders format Native",
                   "select * from orders where id in secrets", "select * from orders where id global in secrets",
                   "select joinGet('secrets', 'a', 1)", "with (select 1 from secrets) as x select x from orders"],
    "spark": ["select * from csv.`/etc/passwd`", "select reflect('a', 'b')",
              "select transform(a) using 'sh' from orders"],
    "trino": ["table secrets", "select * from table(x.system.query(query => 'select 1'))"],
}  # fmt: skip
SAFE = {
    "postgres": [
        "select * from orders",
        "SELECT * FROM ORDERS;",
        "select o.id, sum(o.total) as total from orders o join customers c on c.id = o.customer_id "
        "where c.country in ('DE', 'FR') and o.at >= now() - interval '7 days' group by o.id having count(*) > 1 "
        "order by total desc nulls last limit 10 offset 5",
        "with a as (select * from orders), b as (select * from a) select * from b",
        "with recursive t as (select id from orders union all select t.id + 1 from t where t.id < 5) select * from t",
        "select name from customers where name like 'a%' or name ilike '%b' or name is not null",
        "select date_trunc('month', at)::date, extract(year from at), cast(total as numeric(10, 2)) from orders",
        "select row_number() over (partition by customer_id order by at desc) from orders",
        "select distinct on (customer_id) id from orders order by customer_id, at",
        "select payload ->> 'a', payload -> 'b' from orders",
        "select case when total > 5 then 'big' else 'small' end, coalesce(a, b), nullif(a, 0), a || b from orders",
        "select count(*) filter (where total > 5), string_agg(name, ',') from customers",
        "select a from orders union select b from customers except select 1 intersect select 2",
        "select * from orders where exists (select 1 from customers c where c.id = orders.customer_id)",
        "select * from sales.items -- all of them",
        "select /* all */ round(avg(total), 2), percentile_cont(0.5) within group (order by total) from orders",
        "select * from (values (1, 'a'), (2, 'b')) as v(id, name)",
        "select 'it''s; drop table orders -- not', '/etc/passwd' from orders",
        "select to_char(at, 'YYYY-MM'), lower(trim(name)), substring(name from 1 for 3), length(name) from orders",
        "select current_date, current_timestamp",
        "select *\r\nfrom orders\r\n\t-- all of them\r\nwhere total > 5",
        "select o.* from orders o join customers c using (id), lateral (select 1 as x) l",
        "select sum(total) over w from orders window w as (partition by customer_id)",
        "select id from orders where id = any (array[1, 2]) or customer_id in (select id from customers)",
    ],
    "mysql": [
        "select `id`, ifnull(total, 0), date_format(at, '%Y-%m'), if(total > 5, 1, 0) from `orders` limit 5, 10",
        "select group_concat(name separator ',') from customers -- names",
        "select * from orders where at > date_sub(now(), interval 7 day)",
    ],
    "sqlite": ["select strftime('%Y', at), total from orders where name glob 'a*'", "select max(id) from orders"],
    "duckdb": ["select * from orders qualify row_number() over (order by id) = 1"],
    "tsql": ["select top 5 [id] from [orders] order by id", "select len(name), getdate() from customers"],
    "bigquery": ["select count(*) from `sales.items`"],
    "snowflake": ["select iff(total > 5, 1, 0), datediff(day, at, current_date()) from orders"],
}


def _sql(dialect: str, **more: object) -> Statement:
    found = condition("sql", {"arg": "q", "dialect": dialect, "tables": TABLES, **more})
    assert isinstance(found, Statement)
    return found


@pytest.mark.parametrize(("dialect", "text"), [(d, text) for d, texts in UNSAFE.items() for text in texts])
def test_no_statement_does_more_than_to_read_the_tables_that_are_listed(dialect: str, text: str) -> None:
    assert not holds(_sql(dialect), call({"q": text}))


@pytest.mark.parametrize(("dialect", "text"), [(d, text) for d, texts in SAFE.items() for text in texts])
def test_a_usual_query_is_let_through(dialect: str, text: str) -> None:
    assert holds(_sql(dialect), call({"q": text}))


@pytest.mark.parametrize("value", [None, 5, ["select 1"], {"q": "select 1"}, True])
def test_what_is_no_text_is_an_error(value: object) -> None:
    with pytest.raises(RuleError):
        _sql("postgres").holds(call({"q": value}))


def test_no_argument_is_an_error() -> None:
    with pytest.raises(RuleError):
        _sql("postgres").holds(call({"Q": "select 1"}))


def test_a_function_that_is_listed_is_let_through_and_no_other_of_its_name() -> None:
    sql = _sql("postgres", functions=["Similarity", "md5"])
    assert holds(sql, call({"q": "select similarity(name, 'x'), md5(name) from customers"}))
    assert not holds(sql, call({"q": "select evil.similarity(name, 'x') from customers"}))
    assert not holds(sql, call({"q": "select pg_sleep(1), similarity(name, 'x') from customers"}))


def test_without_tables_any_table_is_read_but_no_file() -> None:
    sql = condition("sql", {"arg": "q", "dialect": "duckdb"})
    assert holds(sql, call({"q": "select * from whatever.table_7"}))
    for text in ("select * from 'x.csv'", 'select * from "s3://x/y"', "select * from read_csv('x')"):
        assert not holds(sql, call({"q": text}))


def test_a_rule_that_lets_rows_change_still_knows_its_tables() -> None:
    sql = _sql("postgres", read_only=False)
    for text in (
        "insert into orders (id, total) values (1, 2)",
        "update orders set total = total + 1 where id = 5",
        "delete from orders where id = 5 returning id",
        "select * from orders",
    ):
        assert holds(sql, call({"q": text})), text
    for text in (
        "delete from secrets",
        "update orders set total = (select 1 from secrets)",
        "insert into orders select * from secrets",
        "drop table orders",
        "truncate orders",
        "create table orders (id int)",
        "merge into orders using customers on true when matched then delete",
        "update orders set total = 1; delete from orders",
    ):
        assert not holds(sql, call({"q": text})), text


def test_verdicts_are_kept_for_a_bounded_number_of_texts() -> None:
    sql = _sql("sqlite")
    for number in range(MAX_CACHED + 3):
        sql.cache[number.to_bytes(16, "big")] = False
    assert holds(sql, call({"q": "select 1 from orders"}))
    assert len(sql.cache) <= MAX_CACHED
    assert holds(sql, call({"q": "select 1 from orders"}))


def test_a_verdict_is_that_of_its_own_text() -> None:
    sql = _sql("postgres")
    assert holds(sql, call({"q": "select '?' from orders"}))
    assert not holds(sql, call({"q": "select '\ud800' from orders"}))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"dialect": "postgres"}, "no `arg`"),
        ({"arg": "q"}, "no `dialect`"),
        ({"arg": "q", "dialect": "postgress"}, "'postgress' is not known"),
        ({"arg": "q", "dialect": "mysql", "tabels": ["a"]}, "sql.tabels: unknown key"),
        ({"arg": "q", "dialect": "mysql", "tables": []}, "an empty list"),
        ({"arg": "q", "dialect": "mysql", "read_only": "maybe"}, "is not true or false"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: ") as refused:
        condition("sql", value)
    assert problem in refused.value.message


QUOTED_IN_LOGS = ["select a -> 'b[' from orders", "with a as (set * from orders where", "select a ->> '$.' from orders"]


def test_a_text_that_cannot_be_parsed_is_in_no_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # of handlers that other tests leave, with closed streams
    for dialect in UNSAFE:
        for text in QUOTED_IN_LOGS:
            holds(_sql(dialect), call({"q": text}))
    assert caplog.records == []
    logging.getLogger("sqlglot").warning("of a server's own")
    assert len(caplog.records) == 1
    caplog.clear()
    for dialect, texts in UNSAFE.items():
        for text in texts:
            holds(_sql(dialect), call({"q": text}))
    assert capfd.readouterr() == ("", "")


def test_the_kinds_of_parts_that_are_known_exist() -> None:
    from sqlglot import expressions

    from mcpobs.policy.rules import sql_tree

    for name in sql_tree.WRITE_PARTS | sql_tree.FUNCTIONS | sql_tree.ROOTS:
        assert hasattr(expressions, name), name
    for name in sql_tree.TYPES:
        assert hasattr(expressions.DataType.Type, name), name
    assert statement.FIRST < statement.FIRST_WRITES
