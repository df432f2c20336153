package sqltext

// What the steps of an endpoint may name.
var (
	OnSuccess = []string{JobID, ResultURL, RowCount}
	OnError   = []string{JobID, ErrorMessage}
)

// Settings are values as settings of a session.
func Settings(values map[string]string) map[string]string {
	settings := make(map[string]string, len(values))
	for name, value := range values {
		settings[SettingPrefix+name] = Clean(value)
	}
	return settings
}
