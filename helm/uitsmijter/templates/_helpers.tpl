{{- define "uitsmijter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "uitsmijter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: uitsmijter
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Selects the server's pods. A Deployment cannot change its selector, so these stay as existing installations have them. */}}
{{- define "uitsmijter.selector" -}}
app: uitsmijter
component: authserver
{{- end }}

{{- define "uitsmijter.redisSelector" -}}
app: uitsmijter
component: redis
{{- end }}

{{- define "uitsmijter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* A secret in base64: as given, else as the cluster has it, else a new one. Takes root, name, key, given. A new one is
kept in .Values, which all templates share, so that each call returns the same. */}}
{{- define "uitsmijter.secret" -}}
{{- $made := .root.Values.made | default dict -}}
{{- $there := lookup "v1" "Secret" (include "uitsmijter.namespace" .root) .name | default dict -}}
{{- if .given -}}
{{ .given | b64enc }}
{{- else if hasKey ($there.data | default dict) .key -}}
{{ index $there.data .key }}
{{- else -}}
{{- if not (hasKey $made .key) }}{{ $_ := set $made .key (randAlphaNum 64 | b64enc) }}{{ end -}}
{{- $_ := set .root.Values "made" $made -}}
{{ index $made .key }}
{{- end -}}
{{- end }}

{{- define "uitsmijter.jwtSecret" -}}
{{ include "uitsmijter.secret" (dict "root" . "name" "jwt-secret" "key" "JWT_SECRET" "given" .Values.jwtSecret) }}
{{- end }}
{{- define "uitsmijter.signingKeySecret" -}}
{{ include "uitsmijter.secret" (dict "root" . "name" "signing-key-secret" "key" "SIGNING_KEY_SECRET" "given" .Values.signingKeySecret) }}
{{- end }}
{{- define "uitsmijter.redisPassword" -}}
{{ include "uitsmijter.secret" (dict "root" . "name" "uitsmijter-redis" "key" "REDIS_PASSWORD" "given" .Values.redisPassword) }}
{{- end }}

{{/* Changes with each secret that the chart knows. One checksum over all, so that a short one cannot be brute-forced. */}}
{{- define "uitsmijter.secretsSum" -}}
{{- $all := list (include "uitsmijter.signingKeySecret" .) (include "uitsmijter.jwtSecret" .) -}}
{{- if .Values.redis.enabled }}{{ $all = append $all (include "uitsmijter.redisPassword" .) }}{{ end -}}
{{- concat $all (list .Values.redisPassword .Values.redis.external.url) | join "\n" | sha256sum -}}
{{- end }}

{{/* A domain for Ingress and HTTPRoute: lower case, without a port. */}}
{{- define "uitsmijter.host" -}}
{{ regexReplaceAll ":[0-9]+$" (lower .) "" }}
{{- end }}

{{/* Not empty if this chart generated the JWT_SECRET, now or earlier: then no resource server uses it yet. */}}
{{- define "uitsmijter.madeJwtSecret" -}}
{{- $there := lookup "v1" "Secret" (include "uitsmijter.namespace" .) "jwt-secret" | default dict -}}
{{- if $there.metadata -}}
{{- if eq (index ($there.metadata.annotations | default dict) "uitsmijter.io/made-by-chart" | default "") "true" -}}yes{{- end -}}
{{- else if and .Values.createSecrets (not .Values.jwtSecret) -}}yes
{{- end -}}
{{- end }}

{{- define "uitsmijter.jwtAlgorithm" -}}
{{- if .Values.config.jwtAlgorithm -}}
{{ .Values.config.jwtAlgorithm }}
{{- else if include "uitsmijter.madeJwtSecret" . -}}
RS256
{{- end -}}
{{- end }}

{{/* The Secret with REDIS_PASSWORD or REDIS_URL; empty if Redis needs neither. */}}
{{- define "uitsmijter.redisSecret" -}}
{{- if .Values.redis.enabled -}}uitsmijter-redis
{{- else if .Values.redis.external.existingSecret -}}{{ .Values.redis.external.existingSecret }}
{{- else if or .Values.redis.external.url .Values.redisPassword -}}uitsmijter-redis
{{- end -}}
{{- end }}

{{/* The ports of your own Redis, as far as the values name them. */}}
{{- define "uitsmijter.redisPorts" -}}
{{- $external := .Values.redis.external -}}
{{- $ports := list -}}
{{- if $external.url -}}
{{- $port := regexReplaceAll "^.*:([0-9]+)(/.*)?$" $external.url "${1}" -}}
{{- $ports = append $ports (regexMatch "^[0-9]+$" $port | ternary $port "6379") -}}
{{- else -}}
{{- $ports = append $ports ($external.port | toString) -}}
{{- end -}}
{{- range $external.sentinelHosts -}}
{{- $port := regexReplaceAll "^.*:([0-9]+)$" . "${1}" -}}
{{- $ports = append $ports (regexMatch "^[0-9]+$" $port | ternary $port "26379") -}}
{{- end -}}
{{- range $external.clusterHosts -}}
{{- $port := regexReplaceAll "^.*:([0-9]+)$" . "${1}" -}}
{{- $ports = append $ports (regexMatch "^[0-9]+$" $port | ternary $port "6379") -}}
{{- end -}}
{{- range $ports | uniq }}
- port: {{ . }}
{{- end }}
{{- end }}

{{- define "uitsmijter.redisHost" -}}
uitsmijter-redis-{{ .index }}.uitsmijter-redis.{{ include "uitsmijter.namespace" .root }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{/* The full names of all Redis pods, with a suffix and a separator. */}}
{{- define "uitsmijter.redisHosts" -}}
{{- $hosts := list -}}
{{- range $index := until (int .root.Values.redis.replicas) -}}
{{- $hosts = append $hosts (printf "%s%s" (include "uitsmijter.redisHost" (dict "root" $.root "index" $index)) $.suffix) -}}
{{- end -}}
{{- join .separator $hosts -}}
{{- end }}

{{/* Files of tenants or clients: a mapping of file names and contents. */}}
{{- define "uitsmijter.documents" -}}
{{- range $name, $document := . }}
{{ $name | trimSuffix ".yml" | trimSuffix ".yaml" }}.yaml: |
{{- if kindIs "string" $document }}
  {{- $document | nindent 2 }}
{{- else }}
  {{- $kubernetes := hasKey $document "apiVersion" }}
  {{- $name := ternary (dict) (dict "name" $name) $kubernetes }}
  {{- toYaml (merge (deepCopy $document) $name) | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Seconds; empty if there are none, or if Kubernetes does not support the sleep. */}}
{{- define "uitsmijter.preStopSleep" -}}
{{- if and .Values.preStopSleepSeconds (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{ .Values.preStopSleepSeconds | int }}
{{- end -}}
{{- end }}

{{/* Security restrictions for all pods of this chart. */}}
{{- define "uitsmijter.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Mistakes that a schema cannot catch, or would report less clearly. */}}
{{- define "uitsmijter.check" -}}
{{- $redis := .Values.redis -}}
{{- if and .Values.jwtSecret (lt (len .Values.jwtSecret) 32) -}}
{{- fail (printf "jwtSecret has %d bytes; HS256 needs at least 32 (RFC 7518 §3.2), and the server would not start" (len .Values.jwtSecret)) -}}
{{- end -}}
{{- if and (not $redis.enabled) (not (or $redis.external.url $redis.external.host $redis.external.sentinelHosts $redis.external.clusterHosts $redis.external.existingSecret)) -}}
{{- fail "redis.enabled is false, and redis.external names no other: set url, host, sentinelHosts, clusterHosts or existingSecret" -}}
{{- end -}}
{{- if and $redis.external.sentinelHosts (not $redis.external.sentinelMaster) -}}
{{- fail "redis.external.sentinelHosts is set, but sentinelMaster is missing: set the name of the master there" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.enabled is true, but gateway.parentRefs is empty: name the Gateway" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.domains) -}}
{{- fail "gateway.enabled is true, but domains is empty: an HTTPRoute without a host would take every host of the Gateway" -}}
{{- end -}}
{{- $proxied := or (and .Values.ingress.enabled .Values.domains) .Values.gateway.enabled (eq (.Values.traefik.middlewares | toString) "true") -}}
{{- if and $proxied (not .Values.config.trustedProxies) (eq .Values.config.environment "production") -}}
{{- fail "config.trustedProxies is empty, and an Ingress, Gateway or Traefik stands in front of the server: list the addresses of its pods, like 10.42.0.0/16 (kubectl get pods -A -o wide shows them), or write none if no X-Forwarded-* header may be believed" -}}
{{- end -}}
{{- end }}

{{/* Where the server finds Redis, without the secret parts. */}}
{{- define "uitsmijter.redisEnv" -}}
{{- $variables := dict -}}
{{- $external := .Values.redis.external -}}
{{- if not .Values.redis.enabled -}}
{{- with $external.host }}{{ $_ := set $variables "REDIS_HOST" . }}{{ end -}}
{{- if $external.host }}{{ $_ := set $variables "REDIS_PORT" $external.port }}{{ end -}}
{{- with $external.username }}{{ $_ := set $variables "REDIS_USERNAME" . }}{{ end -}}
{{- with $external.db }}{{ $_ := set $variables "REDIS_DB" . }}{{ end -}}
{{- if $external.tls }}{{ $_ := set $variables "REDIS_TLS" true }}{{ end -}}
{{- with $external.sentinelHosts }}{{ $_ := set $variables "REDIS_SENTINEL_HOSTS" (join "," .) }}{{ end -}}
{{- with $external.sentinelMaster }}{{ $_ := set $variables "REDIS_SENTINEL_MASTER" . }}{{ end -}}
{{- with $external.clusterHosts }}{{ $_ := set $variables "REDIS_CLUSTER_HOSTS" (join "," .) }}{{ end -}}
{{- else if eq (int .Values.redis.replicas) 1 -}}
{{- $_ := set $variables "REDIS_HOST" (include "uitsmijter.redisHost" (dict "root" . "index" 0)) -}}
{{- else -}}
{{- $_ := set $variables "REDIS_SENTINEL_HOSTS" (include "uitsmijter.redisHosts" (dict "root" . "suffix" ":26379" "separator" ",")) -}}
{{- $_ := set $variables "REDIS_SENTINEL_MASTER" "uitsmijter" -}}
{{- end -}}
{{- range $name, $value := $variables }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "uitsmijter.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
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
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
