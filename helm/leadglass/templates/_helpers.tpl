{{- define "leadglass.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "leadglass.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "leadglass.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "leadglass.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "leadglass.selector" -}}
app.kubernetes.io/name: {{ include "leadglass.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "leadglass.labels" -}}
{{ include "leadglass.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "leadglass.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "leadglass.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name: the ServiceAccount to use, since none is made" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "leadglass.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "leadglass.opaImage" -}}
{{- with .Values.opa.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end -}}
{{- end -}}
{{- end }}

{{/* What every container of ours may do: the restricted level of the Pod Security Standards. */}}
{{- define "leadglass.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The names of config.public_url, without scheme and port: what an Ingress or TLSRoute is told. */}}
{{- define "leadglass.hosts" -}}
{{- $hosts := list -}}
{{- range .Values.config.public_url -}}
{{- $host := regexReplaceAll ":[0-9]+$" (trimPrefix "https://" .) "" -}}
{{- if regexMatch "^[0-9.]+$|^\\[" $host -}}
{{- fail (printf "config.public_url: %s is an address; an Ingress or TLSRoute leads names only" .) -}}
{{- end -}}
{{- $hosts = append $hosts $host -}}
{{- end -}}
{{- $hosts | uniq | toJson -}}
{{- end }}

{{- define "leadglass.hasPolicies" -}}
{{- if or .Values.policies.tables .Values.policies.existingConfigMap }}yes{{ end -}}
{{- end }}

{{/*
leadglass.yaml: what the pod decides, and .Values.config. Every path is absolute: a projected volume is a link to a
folder that goes away at the next update, and a relative path would be taken from that folder.
*/}}
{{- define "leadglass.config" -}}
{{- $tls := dict "certificate" "/etc/leadglass/tls/server.pem" "key" "/etc/leadglass/tls/server.key" -}}
{{- $policy := dict "engine" (ternary "opa" "wasm" .Values.opa.enabled) -}}
{{- if .Values.opa.enabled }}{{ $_ := set $policy "opa" (dict "socket" "/run/opa/opa.sock") }}{{ end -}}
{{- if include "leadglass.hasPolicies" . }}{{ $_ := set $policy "path" "/etc/leadglass/policies" }}{{ end -}}
{{- $own := dict
      "listen" (dict "https" "0.0.0.0:8443" "tls" $tls)
      "metrics" (dict "http" "0.0.0.0:9080")
      "admin" (dict "unix" "/tmp/leadglass/admin.sock")
      "store" "sqlite:/var/lib/leadglass/leadglass.db"
      "policy" $policy
      "audit" (merge (dict "file" "/var/lib/leadglass/decisions.jsonl") .Values.config.audit) -}}
{{- if .Values.facts.keys -}}
{{- $files := list -}}
{{- range .Values.facts.keys }}{{ $files = append $files (printf "/etc/leadglass/facts/%s" .) }}{{ end -}}
{{- $_ := set $own "attributes" (dict "files" $files) -}}
{{- end -}}
{{- toYaml (merge $own (deepCopy .Values.config)) -}}
{{- end }}
