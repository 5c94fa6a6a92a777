{{/* What no schema can say: values that contradict each other, or lack something that only matters beside others. */}}

{{- define "dealgraph.validate" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: say where the image is, such as registry.example.com/dealgraph (docker build . makes it)" -}}
{{- end -}}

{{- range $name, $source := .Values.secrets.env -}}
{{- $isWanted := include "dealgraph.hasSecret" (list $ $name) -}}
{{- $hasOwner := or $.Values.migration.enabled $.Values.tenantPurge.enabled -}}
{{- if and (eq $name "DEALGRAPH_OWNER_DATABASE_URL") (not $hasOwner) -}}{{- $isWanted = "" -}}{{- end -}}
{{- $hasSource := or (hasKey $.Values.secrets.values $name) $source.secretName $.Values.secrets.existingSecret -}}
{{- if and $isWanted (not $hasSource) -}}
{{- fail (printf "%s comes from nowhere: name a Secret that has it in secrets.existingSecret or secrets.env.%s.secretName" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.secrets.values (not .Values.secrets.create) -}}
{{- fail "secrets.values is for secrets.create=true, which makes a Secret of them" -}}
{{- end -}}

{{- if include "dealgraph.hasSecret" (list . "DEALGRAPH_MAIL_URL") -}}
{{- range $name := list "DEALGRAPH_APP_URL" "DEALGRAPH_MAIL_FROM" -}}
{{- if not (get $.Values.config $name) -}}
{{- fail (printf "config.%s is not set, and mails need it: links in them begin with DEALGRAPH_APP_URL, and DEALGRAPH_MAIL_FROM is their sender" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $files := include "dealgraph.files" . | fromJson -}}
{{- $only := include "dealgraph.text" (get .Values.config "DEALGRAPH_DOCUMENTS_ONLY") -}}
{{- if and (eq $only "on") (not (hasKey $files "DEALGRAPH_DOCUMENTS")) -}}
{{- fail "config.DEALGRAPH_DOCUMENTS_ONLY is on, and files.DEALGRAPH_DOCUMENTS lists none" -}}
{{- end -}}
{{- range $name, $file := .Values.files -}}
{{- if and $file.inline $file.existingConfigMap -}}
{{- fail (printf "files.%s is both inline and in a ConfigMap" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.files.DEALGRAPH_PLANS.key .Values.files.DEALGRAPH_DOCUMENTS.key -}}
{{- fail "files.DEALGRAPH_PLANS.key and files.DEALGRAPH_DOCUMENTS.key are the same" -}}
{{- end -}}

{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the gateway" -}}
{{- end -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- $isBoth := and (not (kindIs "invalid" .minAvailable)) (not (kindIs "invalid" .maxUnavailable)) -}}
{{- $isNone := and (kindIs "invalid" .minAvailable) (kindIs "invalid" .maxUnavailable) -}}
{{- if and .enabled (or $isBoth $isNone) -}}
{{- fail "podDisruptionBudget takes one of minAvailable and maxUnavailable; make the other null" -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.listen.port) (int .Values.metrics.port) -}}
{{- fail "listen.port and metrics.port are the same, and one is for clients and the other for operators" -}}
{{- end -}}
{{- $least := add (include "dealgraph.drainWait" .) 28 -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- if lt (int .) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds is less than %v: config.DEALGRAPH_DRAIN_WAIT_S, 8 seconds in which sockets are closed and 20 for requests in flight" $least) -}}
{{- end -}}
{{- end -}}
{{- end }}
