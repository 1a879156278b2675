package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v4"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const canary = "ghp_CANARY"
	secret := NewSecret(canary)
	cfg := Default()
	cfg.GitHub.Token, cfg.GitHub.Credentials = secret, []Credential{{Name: "a", Secret: secret}}
	nested := struct{ hidden Secret }{secret} // fmt cannot call its methods

	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%10.3s"} {
		for name, v := range map[string]any{"value": secret, "pointer": &secret, "config": *cfg, "config pointer": cfg, "nested": nested, "slice": []Secret{secret}, "map": map[string]Secret{"k": secret}} {
			shown[verb+" of "+name] = fmt.Sprintf(verb, v)
		}
	}
	shown["error"] = fmt.Errorf("a %w of %v", errors.ErrUnsupported, secret).Error()
	for name, v := range map[string]any{"secret": secret, "config": cfg.GitHub, "map": map[string]any{"k": &secret}} {
		for form, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal, "xml": xml.Marshal} {
			text, err := marshal(v)
			if err != nil && form != "xml" {
				t.Errorf("%s of %s: %v", form, name, err)
			}
			shown[form+" of "+name] = string(text)
		}
	}
	var log bytes.Buffer
	zl := zerolog.New(&log)
	zl.Info().Object("object", secret).EmbedObject(secret).Interface("interface", secret).Stringer("stringer", secret).
		Any("config", cfg.GitHub).Fields(map[string]any{"field": secret}).Msgf("message %v", secret)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret, "config", cfg.GitHub)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", secret, "config", cfg.GitHub)
	shown["logs"] = log.String()

	hex := fmt.Sprintf("%x", canary)
	for how, text := range shown {
		if strings.Contains(text, "CANARY") || strings.Contains(strings.ToLower(text), hex) {
			t.Errorf("%s shows %s", how, text)
		}
	}
	for _, how := range []string{"%v of value", "%+v of config", "%#v of config pointer", "json of config", "yaml of secret", "logs"} {
		if !strings.Contains(shown[how], hidden) {
			t.Errorf("%s has no %s: %s", how, hidden, shown[how])
		}
	}
	if secret.Reveal() != canary || !NewSecret("").Empty() || NewSecret("").Reveal() != "" {
		t.Error("Reveal does not give the text back")
	}
}
