-- Made by `python -m reamon.store.snapshot` from the migrations; a test keeps it so.
CREATE TABLE agent_executions (
  id INTEGER NOT NULL,
  span_id VARCHAR NOT NULL,
  trace_id VARCHAR NOT NULL,
  parent_id VARCHAR,
  agent_type VARCHAR NOT NULL,
  agent_name VARCHAR NOT NULL,
  agent_version VARCHAR,
  execution_order INTEGER,
  start_time TEXT NOT NULL,
  end_time TEXT,
  duration_ms FLOAT,
  queue_wait_ms FLOAT,
  first_token_ms FLOAT,
  status VARCHAR NOT NULL,
  status_reason VARCHAR,
  success BOOLEAN NOT NULL,
  next_agent VARCHAR,
  confidence FLOAT,
  cost TEXT,
  error_type VARCHAR,
  error_message VARCHAR,
  decision TEXT,
  usage TEXT,
  attributes TEXT,
  events TEXT,
  links TEXT,
  extra TEXT,
  error_stack VARCHAR,
  input_data TEXT,
  output_data TEXT,
  state_before TEXT,
  state_after TEXT,
  PRIMARY KEY (id)
);
CREATE INDEX ix_agent_executions_trace_id ON agent_executions (trace_id, span_id, agent_type);
CREATE INDEX ix_agent_executions_agent_type ON agent_executions (agent_type, id);
CREATE TABLE alert_history (
  alert_id VARCHAR NOT NULL,
  rule VARCHAR NOT NULL,
  labels TEXT NOT NULL,
  project VARCHAR,
  severity VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  message VARCHAR NOT NULL,
  triggered_at TEXT NOT NULL,
  resolved_at TEXT,
  acknowledged_by VARCHAR,
  metadata TEXT,
  PRIMARY KEY (alert_id)
);
CREATE INDEX ix_alert_history_triggered_at ON alert_history (triggered_at);
CREATE INDEX ix_alert_history_open ON alert_history (rule) WHERE resolved_at IS NULL;
CREATE TABLE budget_periods (
  budget VARCHAR NOT NULL,
  scope VARCHAR NOT NULL,
  period_start TEXT NOT NULL,
  spent TEXT NOT NULL,
  stated TEXT NOT NULL,
  unknown INTEGER NOT NULL,
  crossed TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (budget, scope, period_start)
);
CREATE INDEX ix_budget_periods_updated_at ON budget_periods (updated_at);
CREATE TABLE budget_reservations (
  reservation_id VARCHAR NOT NULL,
  budget VARCHAR NOT NULL,
  scope VARCHAR NOT NULL,
  period_start TEXT NOT NULL,
  amount TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  PRIMARY KEY (reservation_id, budget, scope),
  CONSTRAINT fk_budget_reservations_period FOREIGN KEY(budget, scope, period_start) REFERENCES budget_periods (budget, scope, period_start)
);
CREATE INDEX ix_budget_reservations_period ON budget_reservations (budget, scope, period_start);
CREATE TABLE budget_writers (
  writer VARCHAR NOT NULL,
  sequence BIGINT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (writer)
);
CREATE TABLE "cost_details" (
  span_id VARCHAR NOT NULL,
  cost_type VARCHAR NOT NULL,
  price_version VARCHAR NOT NULL,
  item INTEGER NOT NULL,
  trace_id VARCHAR NOT NULL,
  agent_id VARCHAR,
  call_id VARCHAR,
  provider VARCHAR,
  model VARCHAR,
  usage_units TEXT,
  unit VARCHAR,
  unit_cost TEXT,
  cost_amount TEXT,
  price_source VARCHAR NOT NULL,
  effective_date VARCHAR,
  timestamp TEXT NOT NULL,
  project VARCHAR,
  estimated BOOLEAN DEFAULT 0 NOT NULL,
  superseded_by VARCHAR,
  PRIMARY KEY (span_id, cost_type, price_version, item),
  CONSTRAINT fk_cost_details_superseded_by FOREIGN KEY(superseded_by) REFERENCES repricings (repricing_id)
)
  WITHOUT ROWID;
CREATE INDEX ix_cost_details_trace_id ON cost_details (trace_id);
CREATE INDEX ix_cost_details_timestamp ON cost_details (timestamp);
CREATE TABLE erasures (
  erasure_id VARCHAR NOT NULL,
  timestamp TEXT NOT NULL,
  subject_kind VARCHAR NOT NULL,
  subject_digest VARCHAR NOT NULL,
  requested_by VARCHAR,
  receipt TEXT,
  PRIMARY KEY (erasure_id)
);
CREATE TABLE operations (
  id INTEGER NOT NULL,
  span_id VARCHAR NOT NULL,
  trace_id VARCHAR NOT NULL,
  parent_id VARCHAR,
  kind VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  provider VARCHAR,
  model VARCHAR,
  start_time TEXT NOT NULL,
  end_time TEXT,
  duration_ms FLOAT,
  queue_wait_ms FLOAT,
  first_token_ms FLOAT,
  status VARCHAR NOT NULL,
  status_reason VARCHAR,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cached_input_tokens INTEGER,
  cost TEXT,
  error_type VARCHAR,
  error_message VARCHAR,
  usage TEXT,
  attributes TEXT,
  events TEXT,
  links TEXT,
  extra TEXT,
  error_stack VARCHAR,
  input_data TEXT,
  output_data TEXT,
  PRIMARY KEY (id)
);
CREATE INDEX ix_operations_trace_id ON operations (trace_id);
CREATE INDEX ix_operations_model ON operations (model, id) WHERE model IS NOT NULL;
CREATE TABLE performance_metrics (
  metric_type VARCHAR NOT NULL,
  labels TEXT NOT NULL,
  window INTEGER NOT NULL,
  timestamp TEXT NOT NULL,
  project VARCHAR NOT NULL,
  count INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  sum FLOAT NOT NULL,
  sketch BLOB,
  PRIMARY KEY (metric_type, labels, window, timestamp, project)
);
CREATE INDEX ix_performance_metrics_timestamp ON performance_metrics (timestamp);
CREATE TABLE reamon_alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT reamon_alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE repricings (
  repricing_id VARCHAR NOT NULL,
  timestamp TEXT NOT NULL,
  price_version VARCHAR NOT NULL,
  project VARCHAR,
  since TEXT,
  until TEXT,
  details INTEGER NOT NULL,
  total_before TEXT,
  total_after TEXT,
  PRIMARY KEY (repricing_id)
);
CREATE TABLE workflow_traces (
  id INTEGER NOT NULL,
  trace_id VARCHAR NOT NULL,
  call_id VARCHAR,
  workflow_name VARCHAR NOT NULL,
  workflow_version VARCHAR,
  project VARCHAR,
  kind VARCHAR NOT NULL,
  status VARCHAR NOT NULL,
  status_reason VARCHAR,
  start_time TEXT NOT NULL,
  end_time TEXT,
  duration_ms FLOAT,
  queue_wait_ms FLOAT,
  first_token_ms FLOAT,
  total_cost TEXT,
  cost_status VARCHAR NOT NULL,
  process_id VARCHAR,
  outcome VARCHAR,
  error_type VARCHAR,
  error_message VARCHAR,
  tags TEXT,
  metadata TEXT,
  usage TEXT,
  attributes TEXT,
  events TEXT,
  links TEXT,
  extra TEXT,
  error_stack VARCHAR,
  input_data TEXT,
  output_data TEXT, costs_pruned BOOLEAN DEFAULT 0 NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX ix_workflow_traces_call_id ON workflow_traces (call_id);
CREATE INDEX ix_workflow_traces_running ON workflow_traces (process_id) WHERE status = 'running';
CREATE INDEX ix_workflow_traces_trace_id ON workflow_traces (trace_id);
CREATE INDEX ix_workflow_traces_project ON workflow_traces (project, id);
CREATE INDEX ix_workflow_traces_workflow_name ON workflow_traces (workflow_name, id);
CREATE INDEX ix_workflow_traces_unusual ON workflow_traces (status, id) WHERE status <> 'completed';
INSERT INTO reamon_alembic_version (version_num) VALUES ('0002');
