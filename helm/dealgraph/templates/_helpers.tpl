{{/* Names and labels. */}}

{{- define "dealgraph.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The name of the release's objects. 52 characters, so that the longest suffix fits into the 63 of a label. */}}
{{- define "dealgraph.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "dealgraph.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "dealgraph.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dealgraph.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* What pods are selected by, which can't change once a Deployment is there. Takes (list $ "server"). */}}
{{- define "dealgraph.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "dealgraph.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The labels of an object of a component. Takes (list $ "server"). */}}
{{- define "dealgraph.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dealgraph.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dealgraph.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What restarts servers when the chart changes an object that they only read at their start. */}}
{{- define "dealgraph.checksums" -}}
{{- with include "dealgraph.inlineFiles" . }}
checksum/files: {{ sha256sum . }}
{{- end }}
{{- if .Values.secrets.create }}
checksum/secrets: {{ omit .Values.secrets.values "DEALGRAPH_OWNER_DATABASE_URL" | toJson | sha256sum }}
{{- end }}
{{- end }}

{{/* What every pod of the chart has. */}}
{{- define "dealgraph.podSettings" -}}
automountServiceAccountToken: false
{{- /* The names of neighbours would look like settings of the server. */}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
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

{{/* How long a server that is to go serves on, in seconds: the server's own default unless config says another. */}}
{{- define "dealgraph.drainWait" -}}
{{- default "5" (include "dealgraph.text" (get .Values.config "DEALGRAPH_DRAIN_WAIT_S")) -}}
{{- end }}

{{/* How long it may take to go, in seconds. */}}
{{- define "dealgraph.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "dealgraph.drainWait" .) 55 -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end }}

{{/* What clients need, a line each: the kind of path and the path. Not /health, which is the operator's. */}}
{{- define "dealgraph.publicPaths" -}}
Exact /graphql
Exact /.well-known/jwks.json
Exact /.well-known/openid-configuration
{{- if eq "on" (include "dealgraph.text" (get .Values.config "DEALGRAPH_EXPLORER")) }}
Exact /
Prefix /explorer
Prefix /account
{{- end }}
{{- end }}
