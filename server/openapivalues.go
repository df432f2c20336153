package server

import (
	"strings"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// columnSchema is what a column's values are in JSON; all may be null.
func columnSchema(c endpoint.ColumnDocument) *oasSchema {
	schema := &oasSchema{Type: []string{"string", "null"}, Description: c.Description}
	switch c.OID {
	case rows.OIDBool:
		schema.Type = []string{"boolean", "null"}
	case rows.OIDInt2, rows.OIDInt4, rows.OIDOid:
		schema.Type = []string{"integer", "null"}
	case rows.OIDInt8:
		schema.Type, schema.Format = []string{"integer", "null"}, "int64"
	case rows.OIDFloat4, rows.OIDFloat8, rows.OIDNumeric:
		schema.Type = []string{"number", "string", "null"} // a string for NaN and the infinities
	case rows.OIDJSON, rows.OIDJSONB:
		schema.Type = []string{"object", "array", "string", "number", "boolean", "null"}
	case rows.OIDBytea:
		schema.ContentEncoding = "base64"
	case rows.OIDUUID:
		schema.Format = "uuid"
	case rows.OIDDate:
		return orText("date", c.Description)
	case rows.OIDTimestamptz:
		return orText("date-time", c.Description)
	default:
		if strings.HasSuffix(c.TypeName, "[]") {
			schema.Type = []string{"array", "string", "null"} // a string where PostgreSQL's own text says more
		}
	}
	return schema
}

// orText is a format that not all values have: infinity, years before Christ and those
// after 9999 come as PostgreSQL's own text.
func orText(format, description string) *oasSchema {
	return &oasSchema{Description: description, AnyOf: []*oasSchema{
		{Type: "string", Format: format}, {Type: []string{"string", "null"}},
	}}
}

// rowSchema is an object with the columns of a view, all of them, and no other.
func rowSchema(v endpoint.ViewDocument) *oasSchema {
	row := &oasSchema{Type: "object", Properties: map[string]*oasSchema{}, Additional: false}
	for _, c := range v.Columns {
		row.Properties[c.Name] = columnSchema(c)
		row.Required = append(row.Required, c.Name)
	}
	return row
}

// valueSchema is what a parameter of a type takes. A time may be a date, so it has no
// format.
func valueSchema(kind string) *oasSchema {
	switch endpoint.Kind(kind) {
	case endpoint.Int:
		return &oasSchema{Type: "integer"}
	case endpoint.Numeric:
		return &oasSchema{Type: "number"}
	case endpoint.Bool:
		return &oasSchema{Type: "boolean"}
	case endpoint.Date:
		return &oasSchema{Type: "string", Format: "date"}
	case endpoint.UUID:
		return &oasSchema{Type: "string", Format: "uuid"}
	}
	return &oasSchema{Type: "string"}
}
