"""Values that can't work are refused before anything is installed, with a reason that says what to do."""

from chart import CHART, HELMS, case, helm

# What is set beside the minimal case, and a part of the reason.
REFUSED = [
    ("image.repository=", "image.repository is empty"),
    ("image.tag=latest", "image"),
    ("image.digest=0123", "digest"),
    ("secrets.existingSecret=", "comes from nowhere"),
    ("secrets.env.DEALGRAPH_MAIL_URL.enabled=true", "config.DEALGRAPH_APP_URL is not set"),
    ("secrets.values.DEALGRAPH_REDIS_URL=redis://redis", "secrets.create=true"),
    ("secrets.env.DEALGRAPH_DATABASE_URL=null", "DEALGRAPH_DATABASE_URL"),
    ("config.DEALGRAPH_LISTENS=1", "DEALGRAPH_LISTENS"),
    ("config.DEALGRAPH_REDIS_URL=redis://redis", "DEALGRAPH_REDIS_URL"),
    ("config.DEALGRAPH_POOL_SIZE=0", "DEALGRAPH_POOL_SIZE"),
    ("config.DEALGRAPH_POOL_SIZE=sixteen", "DEALGRAPH_POOL_SIZE"),
    ("config.DEALGRAPH_EXPLORER=yes", "DEALGRAPH_EXPLORER"),
    ("config.DEALGRAPH_OTLP_ENDPOINT=https://collector", "DEALGRAPH_OTLP_ENDPOINT"),
    ("config.DEALGRAPH_DOCUMENTS_ONLY=on", "files.DEALGRAPH_DOCUMENTS lists none"),
    ("extraEnv[0].name=DEALGRAPH_LOG", "extraEnv"),
    ("ingress.enabled=true", "ingress.hosts is empty"),
    ("httpRoute.enabled=true", "httpRoute.parentRefs is empty"),
    ("ingress.hosts[0]=https://crm.example.com", "hosts"),
    ("podDisruptionBudget.minAvailable=1", "one of minAvailable and maxUnavailable"),
    ("autoscaling.minReplicas=9", "more than autoscaling.maxReplicas"),
    ("terminationGracePeriodSeconds=30", "less than 33"),
    ("terminationGracePeriodSeconds=60,config.DEALGRAPH_DRAIN_WAIT_S=33", "less than 61"),
    ("preStopSleepSeconds=5", "preStopSleepSeconds"),
    ("metrics.port=8080", "listen.port and metrics.port are the same"),
    ("config.DEALGRAPH_METRICS_LISTEN=0.0.0.0:9464", "DEALGRAPH_METRICS_LISTEN"),
    ("config.DEALGRAPH_TRACE_RATIO=1.5", "DEALGRAPH_TRACE_RATIO"),
    ("config.DEALGRAPH_METRICS_OPERATIONS={2nd}", "DEALGRAPH_METRICS_OPERATIONS"),
    ("tenantPurge.schedule=daily", "schedule"),
    ("prometheusRule.disabled={Down}", "disabled"),
    ("listen.port=80", "port"),
    ("replicas=3", "replicas"),
    ("probes.liveness.httpGet=null,probes.liveness.path=/", "path"),
]


def what_can_not_work_is_refused_with_a_reason():
    for values, reason in REFUSED:
        for major in HELMS:
            given = ["--values", str(case("minimal")), "--set", values]
            answer = helm(major, "template", "release", str(CHART), *given)
            if not answer.returncode:
                yield f"Helm {major} takes {values}"
            elif reason not in answer.stderr:
                yield f"Helm {major} refuses {values} with {answer.stderr}"
    minimal = ["template", "release", str(CHART), "--values", str(case("minimal"))]
    for major in HELMS:
        answer = helm(major, *minimal, "--kube-version", "v1.26.0")
        if not answer.returncode or "kubeVersion" not in answer.stderr:
            yield f"Helm {major} installs on a Kubernetes that is too old: {answer.stderr}"
        # As a chart within another one.
        answer = helm(major, *minimal, "--set", "global.a=b")
        if answer.returncode:
            yield f"Helm {major} refuses what it hands to charts within charts: {answer.stderr}"
