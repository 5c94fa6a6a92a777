{{/* The environment of server and migration. */}}

{{/* A value of config as the server reads it. YAML takes a bare on for true, and numbers for floating ones. */}}
{{- define "dealgraph.text" -}}
{{- if kindIs "bool" . -}}
{{- ternary "on" "off" . -}}
{{- else if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- printf "%.0f" . -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toString . -}}
{{- end -}}
{{- end }}

{{/* All settings of config as a JSON object of texts, with what follows from how the server is reached. */}}
{{- define "dealgraph.config" -}}
{{- $config := dict -}}
{{- if or .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- /* Everybody comes from the few addresses of the proxy, which tells who it is. */ -}}
{{- $_ := set $config "DEALGRAPH_TRUST_FORWARDED_FOR" "1" -}}
{{- $all := get .Values.config "DEALGRAPH_CONNECTIONS" -}}
{{- $_ := set $config "DEALGRAPH_CONNECTIONS_PER_ADDRESS" (default "10000" (include "dealgraph.text" $all)) -}}
{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- $text := include "dealgraph.text" $value -}}
{{- if ne $text "" -}}
{{- $_ := set $config $name $text -}}
{{- end -}}
{{- end -}}
{{- toJson $config -}}
{{- end }}

{{/* Whether a secret variable is set. Takes (list $ "DEALGRAPH_…"). */}}
{{- define "dealgraph.hasSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $source := get $root.Values.secrets.env $name -}}
{{- if or (not (hasKey $source "enabled")) $source.enabled (hasKey $root.Values.secrets.values $name) -}}yes{{- end -}}
{{- end }}

{{/* A secret variable from its Secret. Takes (list $ "DEALGRAPH_…" "component"): the owner's login has a Secret for each. */}}
{{- define "dealgraph.secretVariable" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $source := get $root.Values.secrets.env $name -}}
{{- $secret := default $root.Values.secrets.existingSecret $source.secretName -}}
{{- $key := default $name $source.key -}}
{{- if hasKey $root.Values.secrets.values $name -}}
{{- $secret = include "dealgraph.fullname" $root -}}
{{- if eq $name "DEALGRAPH_OWNER_DATABASE_URL" -}}{{- $secret = printf "%s-%s" $secret (index . 2) -}}{{- end -}}
{{- $key = $name -}}
{{- end -}}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ $key }}
{{- end }}

{{/* The environment of the server. */}}
{{- define "dealgraph.serverEnvironment" -}}
- name: DEALGRAPH_LISTEN
  value: {{ printf "%s:%d" .Values.listen.address (int .Values.listen.port) | quote }}
- name: DEALGRAPH_METRICS_LISTEN
  value: {{ printf "%s:%d" .Values.metrics.address (int .Values.metrics.port) | quote }}
{{- range $name, $text := include "dealgraph.config" . | fromJson }}
- name: {{ $name }}
  value: {{ $text | quote }}
{{- end }}
{{- range $name, $file := include "dealgraph.files" . | fromJson }}
- name: {{ $name }}
  value: {{ $file.path }}
{{- end }}
{{- range $name := keys .Values.secrets.env | sortAlpha }}
{{- if and (ne $name "DEALGRAPH_OWNER_DATABASE_URL") (include "dealgraph.hasSecret" (list $ $name)) }}
{{ include "dealgraph.secretVariable" (list $ $name) }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The environment of what works as the owner: its login, which no server gets, and how to log. Takes (list $ "migrate"). */}}
{{- define "dealgraph.ownerEnvironment" -}}
{{- $component := index . 1 -}}
{{- with index . 0 -}}
{{ include "dealgraph.secretVariable" (list . "DEALGRAPH_OWNER_DATABASE_URL" $component) }}
{{- $config := include "dealgraph.config" . | fromJson }}
{{- range $name := list "DEALGRAPH_LOG" "DEALGRAPH_LOG_FORMAT" }}
{{- with get $config $name }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The files that there are, as a JSON object by the names of their variables: path, volume and what it is made of. */}}
{{- define "dealgraph.files" -}}
{{- $files := dict -}}
{{- range $name, $file := .Values.files -}}
{{- $volume := $name | trimPrefix "DEALGRAPH_" | lower | replace "_" "-" -}}
{{- $source := dict -}}
{{- if $file.existingSecret -}}
{{- $source = dict "secret" (dict "secretName" $file.existingSecret "defaultMode" 288) -}}
{{- else if $file.existingConfigMap -}}
{{- $source = dict "configMap" (dict "name" $file.existingConfigMap) -}}
{{- else if $file.inline -}}
{{- $source = dict "configMap" (dict "name" (printf "%s-files" (include "dealgraph.fullname" $))) -}}
{{- end -}}
{{- range $kind, $spec := $source -}}
{{- $_ := set $spec "items" (list (dict "key" $file.key "path" $file.key)) -}}
{{- $folder := printf "/etc/dealgraph/%s" $volume -}}
{{- $path := printf "%s/%s" $folder $file.key -}}
{{- $_ := set $files $name (dict "path" $path "folder" $folder "volume" $volume "source" $source) -}}
{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end }}

{{/* The files that are given as values, as the data of a ConfigMap. */}}
{{- define "dealgraph.inlineFiles" -}}
{{- $data := dict -}}
{{- range $file := .Values.files -}}
{{- if $file.inline -}}
{{- $_ := set $data $file.key (toJson $file.inline) -}}
{{- end -}}
{{- end -}}
{{- if $data -}}{{- toYaml $data -}}{{- end -}}
{{- end }}
