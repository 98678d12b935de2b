{{- define "registry.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "registry.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "registry.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "registry.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "registry.selector" -}}
app.kubernetes.io/name: {{ include "registry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "registry.labels" -}}
{{ include "registry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "registry.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "registry.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "registry.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* The settings tree that the servers get, as YAML: what the chart decides, and over it what the values say. */}}
{{- define "registry.settings" -}}
{{- $any := dict "host" "0.0.0.0" -}}
{{- $tree := dict
      "grpc" (dict "host" "0.0.0.0" "port" 9090)
      "http" (dict "host" "0.0.0.0" "port" 8080)
      "metrics" (dict "host" "0.0.0.0" "port" 9091)
      "storage" (dict "kind" "sqlite")
      "drain_seconds" 30 -}}
{{- if eq "sqlite" (dig "storage" "kind" "sqlite" .Values.settings) -}}
{{- $_ := set $tree.storage "path" "/data/registry.db" -}}
{{- end -}}
{{- if and .Values.migration.enabled (eq "postgres" (dig "storage" "kind" "sqlite" .Values.settings)) -}}
{{- $_ := set $tree.storage "postgres" (dict "migrate" false) -}}
{{- end -}}
{{- if .Values.tls.secret -}}
{{- $_ := set $tree "tls" (dict "certificate_file" "/etc/registry/tls/tls.crt" "key_file" "/etc/registry/tls/tls.key") -}}
{{- if .Values.tls.clientCaSecret -}}
{{- $_ := set $tree.tls "client_ca_file" (printf "/etc/registry/client-ca/%s" .Values.tls.clientCaKey) -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite $tree (deepCopy .Values.settings) | toYaml -}}
{{- end -}}

{{/* A value as TOML: JSON's texts, numbers and lists of those are TOML's too. */}}
{{- define "registry.toml.value" -}}
{{- if kindIs "map" . -}}
{ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }}, {{ end }}{{ toJson $key }} = {{ include "registry.toml.value" (get $ $key) }}{{ end -}} }
{{- else if kindIs "slice" . -}}
[ {{- range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "registry.toml.value" $item }}{{ end -}} ]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* A table as TOML, its plain values before its tables. Call with (dict "path" (list) "table" ...). */}}
{{- define "registry.toml.table" -}}
{{- $path := .path -}}
{{- $table := .table -}}
{{- $plain := list -}}
{{- $tables := list -}}
{{- range $key := keys $table | sortAlpha -}}
{{- $value := get $table $key -}}
{{- if kindIs "map" $value -}}
{{- $tables = append $tables $key -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $plain = append $plain $key -}}
{{- end -}}
{{- end -}}
{{- if and $path $plain }}
[{{ range $i, $part := $path }}{{ if $i }}.{{ end }}{{ toJson $part }}{{ end }}]
{{- end }}
{{- range $key := $plain }}
{{ toJson $key }} = {{ include "registry.toml.value" (get $table $key) }}
{{- end }}
{{- range $key := $tables }}
{{- include "registry.toml.table" (dict "path" (append $path $key) "table" (get $table $key)) }}
{{- end }}
{{- end -}}

{{/* The file of settings. */}}
{{- define "registry.toml" -}}
{{- include "registry.toml.table" (dict "path" (list) "table" (include "registry.settings" . | fromYaml)) | trimPrefix "\n" }}
{{ end -}}

{{/* "true" when the listener of (dict "settings" ... "name" ...) speaks TLS. */}}
{{- define "registry.speaksTls" -}}
{{- $tls := default dict .settings.tls -}}
{{- if and $tls.certificate_file (has .name (default (list "grpc" "http") $tls.listeners)) -}}true{{- end -}}
{{- end -}}

{{/* What is asked of clients on HTTP: none, optional or required. */}}
{{- define "registry.httpCertificates" -}}
{{- $tls := default dict .tls -}}
{{- if include "registry.speaksTls" (dict "settings" . "name" "http") -}}
{{ default (default "none" $tls.client_certificates) $tls.http_client_certificates }}
{{- else -}}
none
{{- end -}}
{{- end -}}

{{- define "registry.replicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.minReplicas }}{{- else -}}{{ .Values.replicas }}{{- end -}}
{{- end -}}

{{- define "registry.gracePeriod" -}}
{{- $drain := include "registry.settings" . | fromYaml | dig "drain_seconds" 30 | float64 | ceil | int -}}
{{- $least := add (int .Values.shutdown.preStopSeconds) $drain -}}
{{- if not .Values.shutdown.gracePeriodSeconds -}}
{{ add $least 10 }}
{{- else if le (int .Values.shutdown.gracePeriodSeconds) (int $least) -}}
{{- fail (printf "shutdown.gracePeriodSeconds (%v) must be more than preStopSeconds + settings.drain_seconds (%v): servers would be killed in the middle of calls" .Values.shutdown.gracePeriodSeconds $least) -}}
{{- else -}}
{{ int .Values.shutdown.gracePeriodSeconds }}
{{- end -}}
{{- end -}}

{{/* Variables of a container that runs our image: secrets, and what the values add. */}}
{{- define "registry.env" -}}
- name: SCHEMA_REGISTRY_CONFIG
  value: /etc/registry/settings/registry.toml
{{- range $setting := keys .Values.secrets | sortAlpha }}
{{- $from := get $.Values.secrets $setting }}
- name: SCHEMA_REGISTRY_{{ $setting | replace "." "__" | upper }}
  valueFrom:
    secretKeyRef: {name: {{ $from.name | quote }}, key: {{ $from.key | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "registry.mounts" -}}
- {name: settings, mountPath: /etc/registry/settings, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .Values.tls.secret }}
- {name: tls, mountPath: /etc/registry/tls, readOnly: true}
{{- end }}
{{- if .Values.tls.clientCaSecret }}
- {name: client-ca, mountPath: /etc/registry/client-ca, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The volumes of those mounts. Call with (dict "root" $ "settings" NAME). */}}
{{- define "registry.volumes" -}}
- name: settings
  configMap: {name: {{ .settings }}}
- name: tmp
  emptyDir: {}
{{- with .root.Values.tls.secret }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .root.Values.tls.clientCaSecret }}
- name: client-ca
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "registry.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the schema of the values cannot say. */}}
{{- define "registry.check" -}}
{{- $settings := include "registry.settings" . | fromYaml -}}
{{- $kind := $settings.storage.kind -}}
{{- $auth := default dict $settings.auth -}}
{{- $tls := default dict $settings.tls -}}
{{- if and (ne $kind "postgres") (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) -}}
{{- fail (printf "storage %s is for one server: set settings.storage.kind to postgres, or replicas to 1 and autoscaling.enabled to false" $kind) -}}
{{- end -}}
{{- if and (eq $kind "postgres") (not (hasKey .Values.secrets "storage.postgres.dsn")) -}}
{{- fail "settings.storage.kind postgres needs the secret storage.postgres.dsn: secrets: {storage.postgres.dsn: {name: ..., key: ...}}" -}}
{{- end -}}
{{- if and (eq "s3" (dig "blobs" "kind" "inline" $settings)) (not (dig "blobs" "s3" "bucket" "" $settings)) -}}
{{- fail "settings.blobs.kind s3 needs settings.blobs.s3.bucket" -}}
{{- end -}}
{{- $asks := false -}}
{{- range $setting := keys .Values.secrets }}{{ if hasPrefix "auth." $setting }}{{ $asks = true }}{{ end }}{{ end -}}
{{- if not (or $auth $asks (has (default "none" $tls.client_certificates) (list "optional" "required")) .Values.extraEnv .Values.extraEnvFrom) -}}
{{- fail "nobody would be asked who they are, and the server refuses to start like that: set settings.auth (docs/security.md), or settings.auth.insecure to true where the network keeps strangers out" -}}
{{- end -}}
{{- range $name := list "grpc" "http" "metrics" -}}
{{- if not (get $settings $name).port -}}
{{- fail (printf "settings.%s.port must not be 0: nobody would know where to ask" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq "required" (include "registry.httpCertificates" $settings) -}}
{{- fail "kubelets show no certificates, so that probes would fail: set settings.tls.http_client_certificates to optional (calls without credentials and certificate are still refused)" -}}
{{- end -}}
{{- if and .Values.tls.clientCaSecret (not .Values.tls.secret) -}}
{{- fail "tls.clientCaSecret needs tls.secret" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not (or .Values.ingress.http.host .Values.ingress.grpc.host)) -}}
{{- fail "ingress.enabled needs ingress.http.host or ingress.grpc.host" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.enabled needs gateway.parentRefs" -}}
{{- end -}}
{{- end -}}
