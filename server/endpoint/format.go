package endpoint

// Formats by word, and the media type of each. Interactive and Batch tell where
// a spec may name it.
var formats = []Format{
	{Word: "json", MediaType: "application/json", Interactive: true, Batch: true},
	{Word: "csv", MediaType: "text/csv", Interactive: true, Batch: true},
	{Word: "ndjson", MediaType: "application/x-ndjson", Interactive: true, Batch: true},
	{Word: "html", MediaType: "text/html", Interactive: true},
	{Word: "parquet", MediaType: "application/vnd.apache.parquet", Batch: true},
	{Word: "xlsx", MediaType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Batch: true},
}

// Format is a file format that specs may name, whether or not the server
// writes it yet.
type Format struct {
	Word, MediaType    string
	Interactive, Batch bool
}

// Format returns the word of the format that ContentType names: "csv".
func (b Batch) Format() string {
	for _, f := range formats {
		if f.MediaType == b.ContentType {
			return f.Word
		}
	}
	return ""
}

func formatByWord(word string) (Format, bool) {
	for _, f := range formats {
		if f.Word == word {
			return f, true
		}
	}
	return Format{}, false
}
