// Package query is the language of --where and of field lists: expressions of
// github.com/expr-lang/expr over the fields of records, under the names that
// they have in JSON.
//
//	protocol == "smtp" && cidr(client, "10.0.0.0/8")
//	kind == "smtp.message" && any(to, .fate == "refused") && times.total > 1
//	time >= "2026-11-23T05:00:00Z" && severity >= "warning"
//	subject matches "(?i)invoice"
//
// An expression is checked and compiled once (where.go, check.go): a name that
// no record has is an error that suggests the nearest one (nearest.go), and
// every path such as final_reply.code is resolved to the places it has in each
// type of record (path.go). A record is then evaluated by reading just those
// places (value.go); nothing goes through JSON.
//
// What a record does not have matches no comparison: size < 1000 is false for
// a record without a size (compare.go). Beside the builtin functions of expr
// there are cidr, host, port and seconds (functions.go). No function reaches
// out of the expression: no files, no environment, no processes.
package query
